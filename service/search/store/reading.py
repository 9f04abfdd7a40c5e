"""Read points from the tables of the store, inside a transaction that is open already."""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import apsw
import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import Unavailable
from service.search.points import CollectionInfo, Metadata, PointId, StoredPoint
from service.search.store import catalog
from service.search.store.rows import COLUMNS, FLOAT32, id_of, intact, unpack

BLOCK = 1_024  # rows handed on together; so many stay in the processor's cache until they are put side by side

MOST_ROWS = 1 << 62  # no store gives so many; behind twice as many there is no number

RowNumbers = NDArray[np.int64]

BY_ID = f"SELECT {COLUMNS} FROM points WHERE collection = ? AND id = ?"
BY_ROW = f"SELECT {COLUMNS} FROM points WHERE row IN carray(?) AND +collection = ?"


class Block(NamedTuple):
    """Checked rows of one collection: `rows` (n,) ascending, `ids` (n), `vectors` (n, width) float32."""

    rows: RowNumbers
    ids: list[PointId]
    vectors: NDArray[np.float32]


def points_by_id(
    connection: apsw.Connection, number: int, ids: Iterable[PointId], fingerprint: bytes
) -> list[StoredPoint]:
    """The points that exist, in the order of `ids`."""
    found = connection.executemany(BY_ID, ((number, point_id) for point_id in ids))
    return [unpack(row) for row in intact(found, fingerprint)]


def points_by_row(
    connection: apsw.Connection, number: int, rows: RowNumbers, fingerprint: bytes
) -> dict[int, StoredPoint]:
    """The points that exist, by row number."""
    if not len(rows):
        return {}
    found = connection.execute(BY_ROW, (apsw.carray(np.ascontiguousarray(rows)), number))
    return {row[0]: unpack(row) for row in intact(found, fingerprint)}


def vectors_by_row(
    connection: apsw.Connection, number: int, rows: RowNumbers, width: int
) -> tuple[RowNumbers, NDArray[np.float32]]:
    """Those of `rows` that exist, ascending, and their vectors (n, width). Only their pages were checked."""
    if not len(rows):
        return np.empty(0, np.int64), np.empty((0, width), np.float32)
    select = "SELECT row, vector FROM points WHERE row IN carray(?) AND +collection = ? ORDER BY row"
    found: list[Any] = connection.execute(select, (apsw.carray(np.ascontiguousarray(rows)), number)).fetchall()
    return _matrix([row for row, _ in found], [vector for _, vector in found], width)


def rows_of_ids(connection: apsw.Connection, number: int, ids: Iterable[PointId]) -> RowNumbers:
    """Row numbers of the points that exist, in the order of `ids`."""
    select = "SELECT row FROM points WHERE collection = ? AND id = ?"
    found = connection.executemany(select, ((number, point_id) for point_id in ids))
    return np.fromiter((row for (row,) in found), np.int64)


def live_rows(connection: apsw.Connection, number: int) -> RowNumbers:
    """Row numbers of all points, ascending."""
    # One text of all numbers leaves SQLite three times as fast as one row for each.
    joined: str | None = connection.execute(
        "SELECT group_concat(row) FROM points INDEXED BY points_of_collection WHERE collection = ?", (number,)
    ).get
    return np.sort(np.fromstring(joined or "", np.int64, sep=","))


def rows_after(connection: apsw.Connection, number: int, row: int, limit: int) -> RowNumbers:
    """The next `limit` row numbers after `row`."""
    select = "SELECT row FROM points WHERE collection = ? AND row > ? ORDER BY row LIMIT ?"
    return np.fromiter((found for (found,) in connection.execute(select, (number, row, limit))), np.int64)


def metadata_after(connection: apsw.Connection, number: int, row: int) -> Iterator[tuple[int, Metadata | None]]:
    """Row number and metadata of every point after `row`, ascending. Only their pages were checked."""
    select = "SELECT row, metadata FROM points WHERE collection = ? AND row > ? ORDER BY row"
    for found, metadata in connection.execute(select, (number, row)):
        yield found, None if metadata is None else orjson.loads(metadata)


def blocks(connection: apsw.Connection, number: int, after: int) -> Iterator[Block]:
    """The points of a collection above the row `after`, by ascending row number.

    Every digest is checked on the way, and at the end that there are as many points as the collection says. Raises
    Unavailable at the first damage, and NotFound.
    """
    info = catalog.collection(connection, number)
    count = connection.execute("SELECT count(*) FROM points WHERE collection = ? AND row <= ?", (number, after)).get
    select = f"SELECT {COLUMNS} FROM points WHERE collection = ? AND row > ? ORDER BY row"
    checked = intact(connection.execute(select, (number, after)), info.fingerprint.encode())
    while rows := list(islice(checked, BLOCK)):
        count += len(rows)
        numbers, vectors = _matrix([row[0] for row in rows], [row[5] for row in rows], info.dimension)
        yield Block(numbers, [id_of(row[2], row[3]) for row in rows], vectors)
    require_count(info, count)


def require_counts(connection: apsw.Connection) -> None:
    """Raise Unavailable unless every collection has as many points as it says, every point a collection, and the next
    point a number above all others."""
    found: list[Any] = connection.execute("SELECT collection, count(*) FROM points GROUP BY collection").fetchall()
    counts, infos = dict(found), catalog.collections(connection)
    for number in counts.keys() - infos.keys():
        row = connection.execute("SELECT min(row) FROM points WHERE collection = ?", (number,)).get
        raise Unavailable(f"row {row} is damaged")
    for number, info in infos.items():
        require_count(info, counts.get(number, 0))
    last: int | None = connection.execute("SELECT max(row) FROM points").get
    given: Any = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'points'").get or 0
    if not isinstance(given, int) or not (last or 0) <= given <= MOST_ROWS:
        raise Unavailable("the count of row numbers is damaged")


def require_count(info: CollectionInfo, found: int) -> None:
    """Raise Unavailable unless so many points were found as the collection says."""
    if found != info.count:
        raise Unavailable(f'collection "{info.name}" has {found} points, its count says {info.count}')


def _matrix(rows: list[int], vectors: list[bytes], width: int) -> tuple[RowNumbers, NDArray[np.float32]]:
    return np.array(rows, np.int64), np.frombuffer(b"".join(vectors), FLOAT32).reshape(len(rows), width)
