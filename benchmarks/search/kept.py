"""A data directory with real points, made once and kept in the cache."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.peers.environments import cache
from benchmarks.search.embedding import shipped
from benchmarks.search.ours import create, fill, opened, settle
from benchmarks.search.vectors import WIDTH, Vectors, real_vectors
from models.files import replaced_directory
from service.search.embedded import index_file
from service.search.points import Json, Storage
from service.search.store import schema

ANYWHERE = "anywhere"
"""A field of numbers from 0 to 1 that have nothing to do with the vectors."""
ALONG = "along"
"""A field of numbers from 0 to 1 in the order of the vectors along their first principal axis."""

SAMPLE = 4_096  # vectors that the axis is found by


def kept(count: int, storage: Storage = "float32") -> Path:
    """The data directory with `count` sentences, ids from 0, their texts, and the two fields as metadata."""
    fingerprint = shipped()[0].fingerprint
    versions = f"{schema.VERSION}.{index_file.FORMAT}"
    folder = cache() / "search" / f"{count}-{storage}-{versions}-{fingerprint[:12]}"
    if not folder.is_dir():
        Console(stderr=True).print(f"making {folder}; takes about 4 minutes for a million points")
        with replaced_directory(folder) as scratch:
            took = _make(scratch, count, storage, fingerprint)
            _told(scratch).write_text(json.dumps(took), encoding="utf-8")
    return folder


def making(folder: Path) -> dict[str, float]:
    """The seconds that writing and then indexing took when the directory was made."""
    told: dict[str, float] = json.loads(_told(folder).read_text(encoding="utf-8"))
    return told


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy to write to, on the same disk."""
    with TemporaryDirectory(dir=folder.parent) as scratch:
        yield Path(shutil.copytree(folder, Path(scratch) / "data"))


def fields(vectors: Vectors) -> dict[str, NDArray[np.float64]]:
    """The numbers of the two fields by point; the same for the same vectors."""
    sample = vectors[:SAMPLE]
    _, _, axes = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    ranks = np.argsort(np.argsort(vectors @ axes[0], kind="stable"), kind="stable")
    return {ANYWHERE: np.random.default_rng(0).random(len(vectors)), ALONG: ranks / len(vectors)}


def _make(folder: Path, count: int, storage: Storage, fingerprint: str) -> dict[str, Any]:
    vectors, texts = real_vectors(count)
    by_field = {name: values.tolist() for name, values in fields(vectors).items()}
    metadata: list[dict[str, Json]] = [
        dict(zip(by_field, values, strict=True)) for values in zip(*by_field.values(), strict=True)
    ]
    started = time.perf_counter()
    with opened(folder, WIDTH, fingerprint) as collections:
        collection = create(collections, storage)
        fill(collection, vectors, texts, metadata)
        written = time.perf_counter()
        settle(collection)
        return {"write_s": written - started, "index_s": time.perf_counter() - written}


def _told(folder: Path) -> Path:
    return folder / "made.json"
