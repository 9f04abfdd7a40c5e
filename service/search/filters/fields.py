"""The table of fields: for every value of every field the rows that have it, which is the index of all metadata."""

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from typing import TypeAlias

import apsw
import numpy as np
from numpy.typing import NDArray

from service.search.filters.entries import Entry, Kind, number, scalar
from service.search.filters.model import HasValue, IsNull, Lookup, MatchAny, MatchExcept, Range, Scalar, TimeRange

# ANY keeps a value as the type it came in, so that 1 and '1' are two values and 1 and 1.0 are one. Without row ids the
# key is the table: an entry is written once, and the rows of a value lie side by side.
FIELDS = """
    CREATE TABLE fields (
        collection INTEGER NOT NULL,
        path TEXT NOT NULL,
        kind INTEGER NOT NULL,
        value ANY NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (collection, path, kind, value, row)
    ) STRICT, WITHOUT ROWID;
"""

INSERT = "INSERT INTO fields (collection, path, kind, value, row) VALUES (?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM fields WHERE collection = ? AND path = ? AND kind = ? AND value = ? AND row = ?"

# One text of all numbers leaves SQLite three times as fast as one row for each.
SELECT = "SELECT group_concat(row) FROM fields WHERE collection = ? AND path = ? "
BOUNDS = {"gt": "AND value > ? ", "gte": "AND value >= ? ", "lt": "AND value < ? ", "lte": "AND value <= ? "}

# Seventeen digits tell all float64 apart.
NUMBERS = """
    SELECT group_concat(format('%!.17g', value)), group_concat(row)
    FROM (SELECT value, row FROM fields WHERE collection = ? AND path = ? AND kind = ? ORDER BY value, row)
"""

VALUES = (Kind.STRING, Kind.LONG, Kind.NUMBER, Kind.BOOLEAN, Kind.COMPOUND)
"""Kinds that a value can be of which is none of some others."""

Rows: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]
Clause: TypeAlias = tuple[str, tuple[object, ...]]
"""The end of a WHERE, and what it binds."""


def insert(connection: apsw.Connection, collection: int, rows: Iterable[tuple[int, Sequence[Entry]]]) -> None:
    """Add the entries of rows that the table does not have."""
    connection.executemany(INSERT, _bindings(collection, rows))


def remove(connection: apsw.Connection, collection: int, rows: Iterable[tuple[int, Sequence[Entry]]]) -> None:
    """Take out the entries of rows; they are those of the metadata that the rows were written with."""
    connection.executemany(REMOVE, _bindings(collection, rows))


def drop(connection: apsw.Connection, collection: int) -> None:
    """Take out everything of a collection."""
    connection.execute("DELETE FROM fields WHERE collection = ?", (collection,))


def matching_rows(connection: apsw.Connection, collection: int, lookup: Lookup) -> Rows:
    """The rows that meet the condition, ascending, each once."""
    none = np.zeros(0, np.int64)
    found = np.concatenate([none, *(_rows(connection, collection, lookup.key, clause) for clause in _clauses(lookup))])
    found.sort()  # np.unique, which does the same as the next line, takes six times as long
    distinct: Rows = found[np.diff(found, prepend=-1) != 0]
    return distinct


def numbers(connection: apsw.Connection, collection: int, lookup: Range | TimeRange) -> tuple[Numbers, Rows]:
    """All values of the field that the bounds of `lookup` are about, ascending, and the row of each."""
    values, rows = connection.execute(NUMBERS, (collection, lookup.key, _kind(lookup))).get or ("", "")
    return np.fromstring(values or "", np.float64, sep=","), np.fromstring(rows or "", np.int64, sep=",")


def _bindings(
    collection: int, rows: Iterable[tuple[int, Sequence[Entry]]]
) -> list[tuple[int, str, int, str | float, int]]:
    """Sorted as the table is: neighbours are written to the same page."""
    return sorted((collection, *entry, row) for row, entries in rows for entry in entries)


def _rows(connection: apsw.Connection, collection: int, path: str, clause: Clause) -> Rows:
    where, bindings = clause
    joined: str | None = connection.execute(SELECT + where, (collection, path, *bindings)).get
    return np.fromstring(joined or "", np.int64, sep=",")


@singledispatch
def _clauses(lookup: Lookup) -> Iterator[Clause]:
    """Conditions on kind and value; the rows of each are wanted."""
    raise TypeError(f"the table of fields cannot look up {type(lookup).__name__}")


@_clauses.register
def _(lookup: HasValue) -> Iterator[Clause]:  # noqa: ARG001
    yield "AND kind BETWEEN ? AND ?", (Kind.NULL_ITEM, Kind.COMPOUND)


@_clauses.register
def _(lookup: IsNull) -> Iterator[Clause]:  # noqa: ARG001
    yield "AND kind BETWEEN ? AND ?", (Kind.NULL, Kind.NULL_ITEM)


@_clauses.register
def _(lookup: MatchAny) -> Iterator[Clause]:
    for kind, values in _by_kind(lookup.values).items():
        yield f"AND kind = ? AND value IN ({_marks(values)})", (kind, *values)


@_clauses.register
def _(lookup: MatchExcept) -> Iterator[Clause]:
    refused = _by_kind(lookup.values)
    for kind in VALUES:
        values = refused.get(kind, [])
        yield f"AND kind = ? AND value NOT IN ({_marks(values)})", (kind, *values)


@_clauses.register
def _(lookup: Range | TimeRange) -> Iterator[Clause]:
    bounds = {name: getattr(lookup, name) for name in BOUNDS}
    given = {name: number(bound) for name, bound in bounds.items() if bound is not None}
    yield "AND kind = ? " + "".join(BOUNDS[name] for name in given), (_kind(lookup), *given.values())


def _kind(lookup: Range | TimeRange) -> Kind:
    return Kind.NUMBER if isinstance(lookup, Range) else Kind.TIME


def _by_kind(values: Iterable[Scalar]) -> dict[Kind, list[str | float]]:
    kept: dict[Kind, list[str | float]] = {}
    for kind, value in map(scalar, values):
        kept.setdefault(kind, []).append(value)
    return kept


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
