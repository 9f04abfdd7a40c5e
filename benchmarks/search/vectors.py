"""Real vectors for the benchmarks: sentences of Wikipedia, embedded once by the shipped checkpoint and kept.

    python -m benchmarks.search.vectors --count 1000000

Kept a block at a time under `$MCSE_CACHE/bench` (default `~/.cache/mcse/bench`): a run that was stopped goes on.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.peers.environments import cache
from benchmarks.peers.texts import data_folder
from benchmarks.search.embedding import embed
from models.files import replaced_file

BLOCK = 25_000  # sentences kept together
WIDTH = 384

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What is searched, and what it is searched for: sentences that come after it in the file."""

    vectors: Vectors
    """(points, 384) of unit length"""
    texts: list[str]
    queries: Vectors
    """(queries, 384) of unit length"""
    query_texts: list[str]


def corpus(count: int, queries: int) -> Corpus:
    """So many points, and so many queries that are none of them."""
    vectors, texts = real_vectors(count + queries)
    return Corpus(vectors[:count], texts[:count], vectors[count:], texts[count:])


def real_vectors(count: int) -> tuple[Vectors, list[str]]:
    """The first `count` sentences of the corpus with their vectors (count, 384) of unit length.

    Raises:
        FileNotFoundError: the data folder has no Wikipedia sentences.
        ValueError: there are not so many sentences.
    """
    lines = _lines()
    vectors = np.empty((count, WIDTH), np.float32)
    texts: list[str] = []
    starts = range(0, count, BLOCK)
    for start in track(starts, "vectors", console=Console(stderr=True), disable=len(starts) < 2):
        block = list(islice(lines, BLOCK))
        texts += block[: count - start]
        if len(texts) < min(count, start + BLOCK):
            raise ValueError(f"there are {len(texts):,} sentences; ask for no more than that")
        vectors[start : start + BLOCK] = _kept(start, block)[: count - start]
    return vectors, texts


def _kept(start: int, block: list[str]) -> Vectors:
    """The vectors of one block, made now if they are not kept yet."""
    path = _folder() / f"wiki-{start:07}.npy"
    if not path.exists():
        with replaced_file(path) as file:
            np.save(file, embed(block))
    vectors: Vectors = np.load(path)
    return vectors


def _folder() -> Path:
    folder = cache() / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lines() -> Iterator[str]:
    with gzip.open(data_folder() / "wiki" / "simplewiki_sentences.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            if text := line.strip():
                yield text


def main(count: Annotated[int, typer.Option(min=1, help="How many sentences.")] = 200_000) -> None:
    """Make the vectors, where they are not kept yet."""
    vectors, _ = real_vectors(count)
    Console().print(f"{vectors.shape[0]} vectors of width {vectors.shape[1]} in {_folder()}")


if __name__ == "__main__":
    typer.run(main)
