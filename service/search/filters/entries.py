"""What the table of fields keeps of one point: every value of its metadata, under the path that leads to it."""

import math
from collections.abc import Iterator
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from service.errors import InvalidInput
from service.search.filters.paths import BRACKETS, joined
from service.search.filters.times import seconds

if TYPE_CHECKING:
    from service.search.points import Json, Metadata

MOST_LEAVES = 256  # of one point
LONGEST_TEXT = 128  # a longer string is kept as its digest
DIGEST_BYTES = 16
INT64 = range(-(2**63), 2**63)


class Kind(IntEnum):
    """What a value is. The order matters to the table: what counts as a value at all is one run of kinds."""

    NULL = 0
    NULL_ITEM = 1
    """A null in an array: `[null]` is no empty field, although it has no value to match."""
    STRING = 2
    LONG = 3
    """A string that is kept as a digest."""
    NUMBER = 4
    BOOLEAN = 5
    COMPOUND = 6
    """An object, or an array in an array: what is in it has its own entries."""
    TIME = 7
    """Beside the entry of a string that is a time."""


class Entry(NamedTuple):
    """One value: a text or its digest, a number, seconds since 1970, or 0 or 1."""

    path: str
    kind: Kind
    value: str | float


def entries(metadata: "Metadata | None", *, most: float = MOST_LEAVES) -> tuple[Entry, ...]:
    """Every value of `metadata` once, sorted. A value whose path cannot be asked for is left out.

    `metadata` is as JSON says it, so that what was read back has the same entries as what was written.
    Raises InvalidInput if there are more than `most`; what an older version wrote had no bound.
    """
    found: set[Entry] = set()
    for entry in _object(metadata or {}, ""):
        found.add(entry)
        if len(found) > most:
            raise InvalidInput(f"The metadata has more than {most} values; expected at most so many of a point.")
    times = (_time(entry) for entry in found if entry.kind is Kind.STRING)
    return tuple(sorted(found.union(filter(None, times))))


def scalar(value: "str | float") -> tuple[Kind, str | float]:
    """How a string, a number or a boolean is kept: equal values, and only they, are kept alike."""
    if isinstance(value, str):
        return (Kind.STRING, value) if len(value) <= LONGEST_TEXT else (Kind.LONG, _digest(value))
    if isinstance(value, bool):
        return Kind.BOOLEAN, int(value)
    return Kind.NUMBER, number(value)


def number(value: float) -> float:
    """The number as SQLite can hold it: a whole number beyond 64 bits becomes the nearest float."""
    return float(value) if isinstance(value, int) and value not in INT64 else value


def _object(fields: "Metadata", path: str) -> Iterator[Entry]:
    for name, value in fields.items():
        inner = joined(path, name)
        if inner is None:
            continue
        if isinstance(value, list):
            yield from _array(value, inner)
        elif isinstance(value, dict):
            yield Entry(inner, Kind.COMPOUND, 0)
            yield from _object(value, inner)
        else:
            yield _entry(value, inner, Kind.NULL)


def _array(items: "list[Json]", path: str, depth: int = 1) -> Iterator[Entry]:
    inside = path + BRACKETS * depth
    here = path if depth == 1 else inside
    for item in items:
        if isinstance(item, list):
            yield Entry(here, Kind.COMPOUND, 0)
            yield from _array(item, path, depth + 1)
        elif isinstance(item, dict):
            yield Entry(here, Kind.COMPOUND, 0)
            yield from _object(item, inside)
        else:
            yield _entry(item, here, Kind.NULL_ITEM)


def _entry(value: "str | float | None", path: str, null: Kind) -> Entry:
    # NaN and infinity are null in the JSON that is kept of the point.
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Entry(path, null, 0)
    return Entry(path, *scalar(value))


def _time(entry: Entry) -> Entry | None:
    moment = seconds(str(entry.value))
    return None if moment is None else Entry(entry.path, Kind.TIME, moment)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
