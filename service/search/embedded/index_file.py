"""Indexes kept on disk between two runs: a cache that is believed only when everything about it is right.

FAISS and our kernel load a damaged file without a word and answer wrongly. So a file ends with the SHA-256 of all that
comes before, which is checked first, and it has a token that the store has noted down for the collection.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from models.files import replaced_file
from service.search.embedded.contents import Contents, from_parts
from service.search.embedded.ids import IdColumn
from service.search.indexes import graph
from service.search.indexes.base import VectorIndex
from service.search.indexes.graph import GraphIndex
from service.search.indexes.ivf import IvfIndex
from service.search.points import CollectionInfo

FORMAT = 2
DIGEST = 32
PIECE = 1 << 20

log = logging.getLogger(__name__)


def write(path: Path, contents: Contents, info: CollectionInfo) -> str:
    """Write `contents`; returns the token by which the store will know the file. Raises OSError, NotNow."""
    view = contents.view
    token = secrets.token_hex(16)
    header = {
        "format": FORMAT, "token": token, "kind": contents.index.kind, "storage": info.storage,
        "fingerprint": info.fingerprint, "width": info.dimension, "count": view.count,
    }  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    with replaced_file(path) as file, _hashed(file) as hashed:
        hashed.write(json.dumps(header).encode() + b"\n")
        hashed.write(view.rows[: view.count].astype("<i8").tobytes())
        contents.ids.save(hashed, view.count)
        contents.index.save(hashed, view.count)
    return token


def read(path: Path, info: CollectionInfo, token: str | None) -> Contents | None:
    """What `write` wrote, all places live; None, and a line in the log, where it is not to be believed."""
    if token is None or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, info, token)
    except (OSError, EOFError, ValueError, LookupError, TypeError, MemoryError, RuntimeError) as error:
        log.warning("index file not used", extra={"reason": str(error), "collection": info.name})
        return None


def _read(file: BinaryIO, size: int, info: CollectionInfo, token: str) -> Contents:
    _check_digest(file, size)
    file.seek(0)
    header: dict[str, Any] = json.loads(file.readline(4096))
    told = {"format": FORMAT, "token": token, "storage": info.storage, "fingerprint": info.fingerprint}
    told["width"] = info.dimension
    for name, value in told.items():
        if header[name] != value:
            raise ValueError(f"its {name} is not that of the collection")
    count = int(header["count"])
    if not 0 <= count <= size // 8:
        raise ValueError("it has fewer places than it says")
    rows = np.frombuffer(file.read(8 * count), "<i8").astype(np.int64)
    ids = IdColumn.load(file, count)
    index = _index(header["kind"], file, info)
    if len(index) != count:
        raise ValueError("its index has another number of vectors")
    return from_parts(index, ids, rows, generation=0)


def _index(kind: str, file: BinaryIO, info: CollectionInfo) -> VectorIndex:
    keep = info.storage == "float32"
    if kind == GraphIndex.kind and graph.is_available():
        return GraphIndex.load(file, info.dimension, keep_vectors=keep)
    if kind == IvfIndex.kind:
        return IvfIndex.load(file, info.dimension, keep_vectors=keep)
    raise ValueError("its kind of index is not available here")


def _check_digest(file: BinaryIO, size: int) -> None:
    digest, left = hashlib.sha256(), size - DIGEST
    while left > 0:
        piece = file.read(min(PIECE, left))
        digest.update(piece)
        left -= len(piece) or left
    if file.read(DIGEST) != digest.digest():
        raise ValueError("it is damaged")


@contextmanager
def _hashed(file: BinaryIO) -> Iterator[BinaryIO]:
    """A file whose content is followed by its digest."""
    writer = _Hashed(file)
    yield cast(BinaryIO, writer)
    file.write(writer.digest.digest())


class _Hashed:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self.digest.update(data)
        return self._file.write(data)
