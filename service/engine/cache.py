"""Vectors of texts that were embedded before, within a bound of memory. Off unless it is given room."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.config import Direction
from service.engine.part import Text
from service.engine.space import Space
from service.telemetry.metrics import Metrics

# What an entry takes beside the numbers: its key, its place in the order, the array's own header. Measured: 470.
ENTRY_BYTES = 512
MEGABYTE = 1024 * 1024

Key = bytes


class Row(NamedTuple):
    """What is known of one text once it is embedded."""

    vector: NDArray[np.float32]
    """(width,)"""
    tokens: int
    dropped: int


class VectorCache:
    """Least recently used goes first. A process serves one model, so a key is a digest of space, direction and text.

    The text itself is not kept. Whether a text may be cut is no part of the key: a row says what was cut of it.
    Used on the event loop only, so it needs no lock.
    """

    def __init__(self, megabytes: int, metrics: Metrics) -> None:
        """With 0 nothing is kept, and nothing counted."""
        self.bytes = 0
        self._metrics = metrics
        self._room = megabytes * MEGABYTE
        self._rows: OrderedDict[Key, Row] = OrderedDict()

    def keys(self, texts: Sequence[Text], space: Space, direction: Direction = "right") -> list[Key]:
        """The keys of `texts`; none where there is no room for anything."""
        if not self._room:
            return []
        start = hashlib.blake2b(f"{space} {direction}".encode(), digest_size=16)
        keys = []
        for text in texts:
            digest = start.copy()
            digest.update(_bytes(text))
            keys.append(digest.digest())
        return keys

    def get(self, keys: Sequence[Key]) -> list[Row | None]:
        """The row of each key, None where it is not known."""
        rows = [self._rows.get(key) for key in keys]
        for key, row in zip(keys, rows, strict=True):
            if row is not None:
                self._rows.move_to_end(key)
        found = sum(row is not None for row in rows)
        self._metrics.cache_hits.inc(found)
        self._metrics.cache_misses.inc(len(rows) - found)
        return rows

    def put(self, key: Key, row: Row) -> None:
        """Keep a copy of a row, and let the oldest go for it."""
        size = _size(row)
        if size > self._room or key in self._rows:
            return
        self._rows[key] = row._replace(vector=row.vector.copy())  # not the batch that it is a row of
        self.bytes += size
        while self.bytes > self._room:
            _, gone = self._rows.popitem(last=False)
            self.bytes -= _size(gone)
            self._metrics.cache_evictions.inc()


def _bytes(text: Text) -> bytes:
    if isinstance(text, str):
        return b"\0" + text.encode("utf-8", "surrogatepass")
    return b"\1" + repr(text).encode()


def _size(row: Row) -> int:
    return row.vector.nbytes + ENTRY_BYTES
