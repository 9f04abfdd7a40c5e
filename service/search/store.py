"""Keep collections and points safe on disk: the truth, from which everything else can be rebuilt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from service.errors import StorageFull, Unavailable
from service.search.database import Database
from service.search.points import CollectionInfo, PointId, StoredPoint
from service.search.rows import FLOAT32, SELECT_ROWS, NewRow, Row, digest_of, is_intact, unpack

BLOCK = 8_192  # rows checked and handed on together at start-up; 12 MB at width 384

RowNumbers = NDArray[np.int64]


class Written(NamedTuple):
    """Row numbers of a write: `rows` are new, in the order of the points; `removed` are gone."""

    rows: RowNumbers
    removed: RowNumbers
    skipped: tuple[int, ...] = ()
    """Positions of the points that were left out, because their ids were there; `rows` has no number for them."""


class Block(NamedTuple):
    """Checked rows of one collection: `rows` (n,) ascending, `ids` (n), `vectors` (n, width) float32."""

    collection: int
    rows: RowNumbers
    ids: list[PointId]
    vectors: NDArray[np.float32]


# Being built; these are the signatures that Store will have beside and instead of those below:
#
# identity: str                                            32 hex digits; another store has another one
# create_collection(info) -> int                           info.index and info.storage are kept
# collections() -> dict[int, CollectionInfo]
# drop_collection(number) -> int                           with its aliases
# count(number) -> int
# last_change(number) -> int                               grows by one with every write; 0 for a dropped one
# aliases() -> dict[str, int]
# set_alias(alias, number) -> None                         one step; the number must be there
# delete_alias(alias) -> bool                              whether there was one
# upsert(number, points, max_points, on_conflict="replace") -> Written
# delete(number, ids) -> RowNumbers
# delete_rows(number, rows) -> RowNumbers                  those that were there
# replace_metadata(number, rows, change: Callable[[Metadata], Metadata]) -> Written    rows[i] took the place of removed[i]
# points_by_id(number, ids) -> list[StoredPoint]
# points_by_row(number, rows) -> dict[int, StoredPoint]    NOTE the number; every digest is checked
# rows_of_ids(number, ids) -> RowNumbers                   in the order of ids, missing ones left out
# live_rows(number) -> RowNumbers                          ascending
# rows_after(number, row, limit) -> RowNumbers             the next ones, for scrolling
# metadata_after(number, row) -> Iterator[tuple[int, Metadata | None]]
# matching_rows(number, leaf) -> RowNumbers                ascending; through filters.fields
# lexical(number, words, limit, allowed=None) -> list[tuple[int, float]]               best first, higher is better
# blocks(number=None, after=0) -> Iterator[Block]          digests and counts checked
# record_index(number, token: str | None) -> None          an index snapshot file is believed only if the store holds
# recorded_index(number) -> str | None                     its token: a restored backup has an older one
# write_snapshot(number, path) -> int                      how many points
# restore(path, name, max_points, *, replacing=None) -> int       number of the new collection; aliases move along
# service.search.snapshot_file.read_snapshot(path) -> context manager of (CollectionInfo, Iterator[Block-like of NewRow])


class Store:
    """Collections and points in one SQLite file. Any thread may call any method; Database has the locks.

    Everything here raises Unavailable when the disk fails or a row turns out damaged, and writes raise StorageFull
    when there is no room. A write is one transaction: on the disk when it returns, without a trace when it raises.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, data_dir: Path) -> "Store":
        """Open or create the store in `data_dir`; raises StoreError, as Database.open does."""
        return cls(Database.open(data_dir))

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def close(self) -> None:
        """Close the file; every later call raises Unavailable."""
        self._database.close()

    def is_writable(self) -> bool:
        """Whether writes work."""
        return self._database.is_writable()

    def create_collection(self, info: CollectionInfo) -> int:
        """Keep a new, empty collection, whose name must be free, and return its number."""
        with self._database.writing() as connection:
            number: int = connection.execute(
                "INSERT INTO collections (name, space, metric, dimension, fingerprint, description, created_at, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING collection",
                (
                    info.name,
                    info.space,
                    info.metric,
                    info.dimension,
                    info.fingerprint,
                    info.description,
                    info.created_at,
                    _digest_of_collection(info),
                ),
            ).get
        return number

    def collections(self) -> dict[int, CollectionInfo]:
        """All collections by number, oldest first."""
        with self._database.reading() as connection:
            found: list[Any] = connection.execute(
                "SELECT collection, digest, name, space, metric, dimension, fingerprint, 'flat', description,"
                " created_at, live_count FROM collections ORDER BY collection"
            ).fetchall()
        infos = {number: CollectionInfo(*fields) for number, _, *fields in found}
        for number, digest, *_ in found:
            if digest != _digest_of_collection(infos[number]):
                raise Unavailable(f"collection number {number} is damaged")
        return infos

    def drop_collection(self, number: int) -> int:
        """Delete a collection with its points; returns how many points it had."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM points WHERE collection = ?", (number,))
            dropped = connection.changes()
            connection.execute("DELETE FROM collections WHERE collection = ?", (number,))
        return dropped

    def count(self, number: int) -> int:
        """How many points the collection has; 0 for one that was dropped."""
        with self._database.reading() as connection:
            count: int | None = connection.execute(
                "SELECT live_count FROM collections WHERE collection = ?", (number,)
            ).get
        return count or 0

    def upsert(self, number: int, points: Sequence[NewRow], max_points: int) -> Written:
        """Write `points`; one whose id is there already takes the place of the old one, under a new row number.

        Raises StorageFull also if the whole store would grow beyond `max_points`.
        """
        with self._database.writing() as connection:
            removed = _remove(connection, number, (point.id for point in points))
            rows = [
                connection.execute(
                    "INSERT INTO points (collection, id, text, vector, metadata, digest) VALUES (?, ?, ?, ?, ?, ?)"
                    " RETURNING row",
                    (number, *point),
                ).get
                for point in points
            ]
            _record_change(connection, number, len(rows) - len(removed))
            if len(rows) > len(removed):
                _require_room(connection, max_points)
        return Written(np.array(rows, np.int64), np.array(removed, np.int64))

    def delete(self, number: int, ids: Iterable[PointId]) -> RowNumbers:
        """Delete the points with these ids; returns the row numbers that are gone."""
        with self._database.writing() as connection:
            removed = _remove(connection, number, ids)
            _record_change(connection, number, -len(removed))
        return np.array(removed, np.int64)

    def points_by_id(self, number: int, ids: Iterable[PointId]) -> list[StoredPoint]:
        """The points that exist, in the order of `ids`."""
        select = SELECT_ROWS + "WHERE collection = ? AND id = ?"
        with self._database.reading() as connection:
            found = [row for point_id in ids for row in _rows(connection.execute(select, (number, point_id)))]
        return [unpack(row) for row in found]

    def points_by_row(self, rows: RowNumbers) -> dict[int, StoredPoint]:
        """The points that exist, by row number."""
        if not len(rows):
            return {}
        select = SELECT_ROWS + "WHERE row IN carray(?)"
        with self._database.reading() as connection:
            found = list(_rows(connection.execute(select, (apsw.carray(rows),))))
        return {row.row: unpack(row) for row in found}

    def blocks(self) -> Iterator[Block]:
        """Every point of every collection by ascending row number; for start-up.

        Digests and counts are checked on the way; raises Unavailable at the first damage.
        """
        infos = self.collections()
        counts: Counter[int] = Counter()
        with self._database.reading() as connection:
            cursor = _rows(connection.execute(SELECT_ROWS + "ORDER BY row"))
            while rows := list(islice(cursor, BLOCK)):
                counts.update(row.collection for row in rows)
                yield from _by_collection(rows)
        for number, info in infos.items():
            if counts[number] != info.count:
                raise Unavailable(f'collection "{info.name}" has {counts[number]} points, its count says {info.count}')


def _remove(connection: apsw.Connection, number: int, ids: Iterable[PointId]) -> list[int]:
    delete = "DELETE FROM points WHERE collection = ? AND id = ? RETURNING row"
    found = (connection.execute(delete, (number, point_id)).get for point_id in ids)
    return [row for row in found if row is not None]


def _record_change(connection: apsw.Connection, number: int, added: int) -> None:
    connection.execute(
        "UPDATE collections SET live_count = live_count + ?, last_change = last_change + 1 WHERE collection = ?",
        (added, number),
    )


def _require_room(connection: apsw.Connection, max_points: int) -> None:
    total = connection.execute("SELECT sum(live_count) FROM collections").get
    if total > max_points:
        raise StorageFull(
            f"The store would have {total} points, over its limit of {max_points}; delete some, or raise max_points."
        )


def _rows(cursor: apsw.Cursor) -> Iterator[Row]:
    """The rows of a SELECT_ROWS, each one checked: a disk can change a byte without anyone noticing."""
    for row in map(Row._make, cursor):
        if not is_intact(row):
            raise Unavailable(f"row {row.row} is damaged")
        yield row


def _by_collection(rows: Sequence[Row]) -> Iterator[Block]:
    for number in sorted({row.collection for row in rows}):
        members = [row for row in rows if row.collection == number]
        vectors = np.frombuffer(b"".join(row.vector for row in members), FLOAT32).reshape(len(members), -1)
        ids = [unpack(row).id for row in members]
        yield Block(number, np.array([row.row for row in members], np.int64), ids, vectors)


def _digest_of_collection(info: CollectionInfo) -> bytes:
    description = None if info.description is None else info.description.encode()
    fields = (info.name, info.space, info.metric, str(info.dimension), info.fingerprint, info.created_at)
    return digest_of(*(field.encode() for field in fields), description)
