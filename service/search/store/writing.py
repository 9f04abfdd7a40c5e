"""Write points into the tables of the store, inside a transaction that is open already."""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw
import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import Conflict, InvalidInput
from service.search.points import CollectionInfo, Metadata, OnConflict
from service.search.store import catalog, derived
from service.search.store.derived import Removed
from service.search.store.rows import COLUMNS, NewRow, Row, intact, with_metadata

CHUNK = 1_000  # points in memory at a time where a write is large

RowNumbers = NDArray[np.int64]

INSERT = "INSERT INTO points (row, collection, id, text, vector, metadata, digest) VALUES (?, ?, ?, ?, ?, ?, ?)"
# The plus keeps SQLite from walking over the whole collection.
DELETE = (
    "DELETE FROM points WHERE row IN carray(?) AND +collection = ?"
    " RETURNING row, text IS NOT NULL, CAST(metadata AS BLOB)"
)
SELECT = f"SELECT {COLUMNS} FROM points WHERE row IN carray(?) AND +collection = ?"


class Written(NamedTuple):
    """Row numbers of a write: `rows` are new, in the order of the points; `removed` are gone."""

    rows: RowNumbers
    removed: RowNumbers
    skipped: tuple[int, ...] = ()
    """Positions of the points that were left out, because their ids were there; `rows` has no number for them."""


def create(connection: apsw.Connection, info: CollectionInfo, number: int | None = None) -> int:
    """Keep a new, empty collection, whose name and number must be free, and return its number."""
    number = catalog.create(connection, info, number)
    derived.create(connection, number)
    return number


def upsert(connection: apsw.Connection, number: int, points: Sequence[NewRow], on_conflict: OnConflict) -> Written:
    """Write `points`, whose ids differ; raises Conflict where `on_conflict` says error and an id is there."""
    there = _there(connection, number, points)
    if there and on_conflict == "error":
        raise Conflict(f"points[{min(there)}] has an id that is there already; nothing was written.")
    if on_conflict == "skip":
        points = [point for position, point in enumerate(points) if position not in there]
        return Written(insert(connection, number, points), _numbers(()), tuple(sorted(there)))
    removed = _numbers(there.values())
    if there:
        delete(connection, number, removed)
    return Written(insert(connection, number, points), removed)


def insert(connection: apsw.Connection, number: int, points: Sequence[NewRow]) -> RowNumbers:
    """Write `points`, whose ids are free, under new row numbers, which grow by one."""
    last: int | None = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'points'").get
    first = (last or 0) + 1
    numbers = range(first, first + len(points))
    insert_as(connection, number, numbers, points)
    return np.arange(first, first + len(points), dtype=np.int64)


def insert_foreign(connection: apsw.Connection, number: int, points: Sequence[NewRow]) -> None:
    """Write `points` that somebody else chose; raises InvalidInput if an id is there already."""
    try:
        insert(connection, number, points)
    except apsw.ConstraintError:
        raise InvalidInput("Two points of the snapshot have the same id; expected each id once.") from None


def insert_as(connection: apsw.Connection, number: int, numbers: Sequence[int], points: Sequence[NewRow]) -> None:
    """Write `points` under these row numbers, which no point has."""
    connection.executemany(INSERT, ((row, number, *point[:5]) for row, point in zip(numbers, points, strict=True)))
    added = derived.insert(connection, number, numbers, points)
    catalog.record_change(connection, number, points=len(points), texts=added.texts, entries=added.entries)


def delete(connection: apsw.Connection, number: int, rows: RowNumbers) -> RowNumbers:
    """Delete those of `rows` that are there; returns them, ascending."""
    gone: list[int] = []
    for start in range(0, len(rows), CHUNK):
        chunk = apsw.carray(np.ascontiguousarray(rows[start : start + CHUNK]))
        found: list[Any] = connection.execute(DELETE, (chunk, number)).fetchall()
        removed = [Removed(*row) for row in found]
        taken = derived.remove(connection, number, removed)
        catalog.record_change(connection, number, points=-len(removed), texts=-taken.texts, entries=-taken.entries)
        gone += [row.row for row in removed]
    return np.sort(_numbers(gone))


def replace_metadata(
    connection: apsw.Connection, number: int, rows: RowNumbers, change: Callable[[Metadata], Metadata]
) -> Written:
    """Write the points of `rows` again with changed metadata; those that it leaves as they are stay.

    Raises what `change` raises, and Unavailable for a damaged row. `rows[i]` of the answer is the point that was
    `removed[i]`.
    """
    fingerprint = catalog.made_with(connection, number).fingerprint
    new, old = [_numbers(())], [_numbers(())]
    for start in range(0, len(rows), CHUNK):
        chunk = apsw.carray(np.ascontiguousarray(rows[start : start + CHUNK]))
        found = intact(connection.execute(SELECT, (chunk, number)).fetchall(), fingerprint)
        changed = dict(_changed(found, change, fingerprint))
        if changed:
            old.append(_numbers(changed))
            delete(connection, number, old[-1])
            new.append(insert(connection, number, [*changed.values()]))
    return Written(np.concatenate(new), np.concatenate(old))


def drop(connection: apsw.Connection, number: int) -> int:
    """Delete a collection with its points and aliases; returns how many points it had."""
    derived.drop(connection, number)
    connection.execute("DELETE FROM points WHERE collection = ?", (number,))
    dropped = connection.changes()
    catalog.drop(connection, number)
    return dropped


def _there(connection: apsw.Connection, number: int, points: Sequence[NewRow]) -> dict[int, int]:
    """Position -> row number of the points whose ids are there."""
    select = "SELECT ?, row FROM points WHERE collection = ? AND id = ?"
    bindings = ((position, number, point.id) for position, point in enumerate(points))
    found: list[Any] = connection.executemany(select, bindings).fetchall()
    return dict(found)


def _changed(
    rows: Iterable[Row], change: Callable[[Metadata], Metadata], fingerprint: bytes
) -> Iterator[tuple[int, NewRow]]:
    for row in rows:
        metadata = row[6]
        after = change({} if metadata is None else orjson.loads(metadata))
        new = with_metadata(row, after, fingerprint)
        if (new.metadata or "").encode() != (b"{}" if metadata is None else metadata):
            yield row[0], new


def _numbers(numbers: Iterable[Any]) -> RowNumbers:
    return np.fromiter(numbers, np.int64)
