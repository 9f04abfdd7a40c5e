"""The points of a collection as one search sees them: an unchanging look at which places of the index are in use.

A place is the position of a vector in the index. Places are given out in the order of row numbers and never used again
until the index is rebuilt, so what is known of a place stays true, and a set of places is a row of bits.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bits: TypeAlias = NDArray[np.uint8]
"""One bit a place, eight to a byte, the lowest bit first; the length is a multiple of eight bytes."""

Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What there was at one moment. A write makes another view and leaves this one alone."""

    generation: int
    """Another one after each rebuild, which gives every place to another row."""
    count: int
    """Places in use, those of deleted points included."""
    rows: NDArray[np.int64]
    """Row numbers by place, ascending; only the first `count` are of this view."""
    live: Bits
    """The places of points that are there; bits from `count` on are 0."""
    live_count: int
    change: int = 0
    """The store's number of the last change that is in this view."""


def none(count: int) -> Bits:
    """No place of `count`."""
    return np.zeros((count + 63) // 64 * 8, np.uint8)


def bits_of(places: Places, count: int) -> Bits:
    """The set of these places, each below `count`."""
    flags = np.zeros((count + 63) // 64 * 64, np.uint8)
    flags[places] = 1
    return np.packbits(flags, bitorder="little")


def first_places(count: int) -> Bits:
    """All places below `count`."""
    return np.packbits(np.arange((count + 63) // 64 * 64) < count, bitorder="little")


def with_changes(bits: Bits, count: int, *, added: Places, removed: Places) -> Bits:
    """Another set over `count` places: `bits` with `added` and without `removed`."""
    changed = none(count)
    changed[: len(bits)] = bits
    np.bitwise_or.at(changed, added >> 3, (1 << (added & 7)).astype(np.uint8))
    np.bitwise_and.at(changed, removed >> 3, ~(1 << (removed & 7)).astype(np.uint8))
    return changed


def places_of(bits: Bits) -> Places:
    """The places in a set, ascending."""
    return np.flatnonzero(np.unpackbits(bits, bitorder="little"))


def size_of(bits: Bits) -> int:
    """How many places are in a set."""
    return int(np.bitwise_count(bits.view(np.uint64)).sum())


def places_of_rows(rows: NDArray[np.int64], view: View) -> Places:
    """The places of these row numbers, in their order; rows that this view does not have are left out."""
    known = view.rows[: view.count]
    places = np.searchsorted(known, rows)
    inside = places < view.count
    places, rows = places[inside], rows[inside]
    found: Places = places[known[places] == rows]
    return found
