"""The callers' ids by place, in a few bytes each: what a search answers with, without asking the store."""

import struct
from collections.abc import Iterable
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from service.search.points import PointId

_INTEGER = struct.Struct("<q")
_TEXT, _NUMBER = b"t", b"n"


class IdColumn:
    """Ids by place. One thread appends; any thread reads places that were appended before."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends: NDArray[np.int64] = np.zeros(1024, np.int64)  # behind a 0, of the id at each place
        self._count = 0

    def __len__(self) -> int:
        """Places in use."""
        return self._count

    def extend(self, ids: Iterable[PointId]) -> None:
        """Give the next places to `ids`."""
        for point_id in ids:
            self._bytes += _TEXT + point_id.encode() if isinstance(point_id, str) else _NUMBER + _INTEGER.pack(point_id)
            self._count += 1
            if self._count == len(self._ends):
                self._ends = np.concatenate([self._ends, np.zeros_like(self._ends)])
            self._ends[self._count] = len(self._bytes)

    def at(self, place: int) -> PointId:
        """The id of a place."""
        return _unpacked(self._bytes[int(self._ends[place]) : int(self._ends[place + 1])])

    def many(self, places: NDArray[np.int64]) -> list[PointId]:
        """The ids of some places, in their order."""
        starts, ends = self._ends[places].tolist(), self._ends[places + 1].tolist()
        whole = self._bytes
        return [_unpacked(whole[start:end]) for start, end in zip(starts, ends, strict=True)]

    def memory_bytes(self) -> int:
        """Memory of the column."""
        return len(self._bytes) + self._ends.nbytes

    def save(self, file: BinaryIO, count: int) -> None:
        """Write the first `count` ids."""
        ends = self._ends[1 : count + 1]
        file.write(ends.astype("<i8").tobytes())
        file.write(self._bytes[: int(ends[-1]) if count else 0])  # a copy: a view would forbid `extend` meanwhile

    @classmethod
    def load(cls, file: BinaryIO, count: int) -> Self:
        """What `save` wrote, whose digest the caller has checked. Raises ValueError."""
        column = cls()
        ends = np.frombuffer(file.read(8 * count), "<i8")
        if len(ends) != count or (np.diff(ends, prepend=0) < 1).any():
            raise ValueError("its ids do not follow each other")
        column._ends = np.concatenate([[0], ends, np.zeros(1024, np.int64)])
        column._bytes = bytearray(file.read(int(ends[-1]) if count else 0))
        if count and len(column._bytes) != ends[-1]:
            raise ValueError("its ids are cut off")
        column._count = count
        return column


def _unpacked(raw: bytearray) -> PointId:
    if raw[0] == _TEXT[0]:
        return raw[1:].decode()
    number: int = _INTEGER.unpack_from(raw, 1)[0]
    return number
