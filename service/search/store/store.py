"""Keep collections and points safe on disk: the truth, from which everything else can be rebuilt."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from service.search.filters import fields
from service.search.filters.model import Lookup, Range, TimeRange
from service.search.points import CollectionInfo, Metadata, OnConflict, PointId, StoredPoint
from service.search.store import catalog, derived, reading, snapshot_file, writing
from service.search.store.catalog import Made
from service.search.store.database import Database, refusing_damage
from service.search.store.lexical import Allowed, Lexical
from service.search.store.reading import Block
from service.search.store.rows import NewRow, batched
from service.search.store.writing import Written

__all__ = ["Block", "Store", "Written"]

RowNumbers = NDArray[np.int64]


class Store:
    """Collections and points in one SQLite file. Any thread may call any method; Database has the locks.

    Everything here raises Unavailable when the disk fails or a row turns out damaged, and writes raise StorageFull
    when there is no room. A write is one transaction: on the disk when it returns, without a trace when it raises.
    An iterator keeps one of a few readers until it ends: finish it, or close it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made_with: dict[int, Made] = {}
        self._lexical = Lexical()
        with database.reading() as connection:
            self.identity = str(connection.execute("SELECT value FROM meta WHERE key = 'identity'").get)

    @classmethod
    def open(cls, data_dir: Path) -> "Store":
        """Open or create the store in `data_dir`; what is derived from the points is made anew if it is out of step.

        Raises StoreError, as Database.open does, also if the number of points is another one than it should be.
        """
        store = cls(Database.open(data_dir))
        try:
            with refusing_damage(store.path):
                store._check()
        except BaseException:
            store.close()
            raise
        return store

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

    # Collections

    def create_collection(self, info: CollectionInfo) -> int:
        """Keep a new, empty collection, whose name must be free, and return its number."""
        with self._database.writing() as connection:
            return writing.create(connection, info)

    def collections(self) -> dict[int, CollectionInfo]:
        """All collections by number, oldest first."""
        with self._database.reading() as connection:
            return catalog.collections(connection)

    def drop_collection(self, number: int) -> int:
        """Delete a collection with its points and aliases; returns how many points it had."""
        with self._database.writing() as connection:
            dropped = writing.drop(connection, number)
        self._lexical.forget(number)
        return dropped

    def count(self, number: int) -> int:
        """How many points the collection has; 0 for one that was dropped."""
        with self._database.reading() as connection:
            return catalog.number_of(connection, number, "live_count")

    def last_change(self, number: int) -> int:
        """A number that every write to the collection makes larger; 0 for one that was dropped."""
        with self._database.reading() as connection:
            return catalog.number_of(connection, number, "last_change")

    def aliases(self) -> dict[str, int]:
        """Alias -> number of its collection."""
        with self._database.reading() as connection:
            return catalog.aliases(connection)

    def set_alias(self, alias: str, number: int) -> None:
        """Let `alias` stand for the collection from now on, in one step; raises NotFound."""
        with self._database.writing() as connection:
            catalog.set_alias(connection, alias, number)

    def delete_alias(self, alias: str) -> bool:
        """Whether there was one."""
        with self._database.writing() as connection:
            return catalog.delete_alias(connection, alias)

    def record_index(self, number: int, token: str | None) -> None:
        """Remember the token in the index file that was just written for the collection.

        A file with another token is of another history: of another store, or of the time after the moment that this
        one was restored to.
        """
        with self._database.writing() as connection:
            catalog.record_index(connection, number, token)

    def recorded_index(self, number: int) -> str | None:
        """The token that an index file of the collection must have."""
        with self._database.reading() as connection:
            return catalog.recorded_index(connection, number)

    # Writing points

    def upsert(
        self, number: int, points: Sequence[NewRow], max_points: int, on_conflict: OnConflict = "replace"
    ) -> Written:
        """Write `points`, whose ids differ; one whose id is there already takes the place of the old one, under a new
        row number, unless `on_conflict` says otherwise.

        Raises Conflict, and StorageFull also if the whole store would grow beyond `max_points`.
        """
        with self._database.writing() as connection:
            written = writing.upsert(connection, number, points, on_conflict)
            if len(written.rows) > len(written.removed):
                catalog.require_room(connection, max_points)
        return written

    def delete(self, number: int, ids: Iterable[PointId]) -> RowNumbers:
        """Delete the points with these ids; returns the row numbers that are gone, ascending."""
        with self._database.writing() as connection:
            return writing.delete(connection, number, np.unique(reading.rows_of_ids(connection, number, ids)))

    def delete_rows(self, number: int, rows: RowNumbers) -> RowNumbers:
        """Delete the points with these row numbers; returns those that were there, ascending."""
        with self._database.writing() as connection:
            return writing.delete(connection, number, rows)

    def replace_metadata(self, number: int, rows: RowNumbers, change: Callable[[Metadata], Metadata]) -> Written:
        """Write these points again with changed metadata; `change` gets {} for none, and its errors undo everything.

        Points that it leaves as they are stay. `rows[i]` of the answer took the place of `removed[i]`.
        """
        with self._database.writing() as connection:
            return writing.replace_metadata(connection, number, rows, change)

    # Reading points

    def points_by_id(self, number: int, ids: Iterable[PointId]) -> list[StoredPoint]:
        """The points that exist, in the order of `ids`."""
        with self._database.reading() as connection:
            return reading.points_by_id(connection, number, ids, self._made(connection, number).fingerprint)

    def points_by_row(self, number: int, rows: RowNumbers) -> dict[int, StoredPoint]:
        """The points that exist, by row number."""
        with self._database.reading() as connection:
            return reading.points_by_row(connection, number, rows, self._made(connection, number).fingerprint)

    def vectors_by_row(self, number: int, rows: RowNumbers) -> tuple[RowNumbers, NDArray[np.float32]]:
        """Those of `rows` that exist, ascending, and their vectors (n, width).

        For many at a time: the checksums of their pages are checked, and not their digests.
        """
        with self._database.reading() as connection:
            return reading.vectors_by_row(connection, number, rows, self._made(connection, number).width)

    def rows_of_ids(self, number: int, ids: Iterable[PointId]) -> RowNumbers:
        """Row numbers of the points that exist, in the order of `ids`."""
        with self._database.reading() as connection:
            return reading.rows_of_ids(connection, number, ids)

    def live_rows(self, number: int) -> RowNumbers:
        """Row numbers of all points, ascending."""
        with self._database.reading() as connection:
            return reading.live_rows(connection, number)

    def rows_after(self, number: int, row: int, limit: int) -> RowNumbers:
        """The next `limit` row numbers after `row`."""
        with self._database.reading() as connection:
            return reading.rows_after(connection, number, row, limit)

    def metadata_after(self, number: int, row: int) -> Iterator[tuple[int, Metadata | None]]:
        """Row number and metadata of every point after `row`, ascending; only their pages are checked."""
        with self._database.reading() as connection:
            yield from reading.metadata_after(connection, number, row)

    def matching_rows(self, number: int, lookup: Lookup) -> RowNumbers:
        """Row numbers of the points that the table of fields finds, ascending."""
        with self._database.reading() as connection:
            return fields.matching_rows(connection, number, lookup)

    def numbers(self, number: int, lookup: Range | TimeRange) -> tuple[NDArray[np.float64], RowNumbers]:
        """All values of the field that `lookup` is about, ascending, and the row of each."""
        with self._database.reading() as connection:
            return fields.numbers(connection, number, lookup)

    def lexical(self, number: int, words: str, limit: int, allowed: Allowed | None = None) -> list[tuple[int, float]]:
        """Rows whose texts have some of the words, with their BM25 scores, best first; a higher one is better.

        `allowed` says of row numbers (n,) which ones may be answers.
        """
        with self._database.reading() as connection:
            return self._lexical.search(connection, number, words, limit, allowed)

    def blocks(self, number: int, after: int = 0) -> Iterator[Block]:
        """Every point of a collection above the row `after`, by ascending row number; for start-up.

        Digests and the count are checked on the way; raises Unavailable at the first damage, and NotFound.
        """
        with self._database.reading(long=True) as connection:
            yield from reading.blocks(connection, number, after)

    # Snapshots

    def write_snapshot(self, number: int, path: Path) -> int:
        """Write a collection as it is now to the file `path`, which is whole or not there; reads and writes go on.

        Returns how many points there are. Raises NotFound.
        """
        with self._database.reading(long=True) as connection:
            return snapshot_file.write(connection, number, path)

    def restore(self, path: Path, name: str, max_points: int, *, replacing: int | None = None) -> int:
        """Make the collection `name` from a snapshot file, in one transaction, and return its number.

        The collection `replacing` is dropped in the same step, and its aliases stand for the new one. Raises
        InvalidInput (damaged, or no snapshot) and StorageFull.
        """
        with snapshot_file.opened(path) as (info, rows), self._database.writing() as connection:
            aliases = [alias for alias, of in catalog.aliases(connection).items() if of == replacing]
            if replacing is not None:
                writing.drop(connection, replacing)
            number = writing.create(connection, replace(info, name=name))
            for chunk in batched(rows):
                writing.insert_foreign(connection, number, chunk)
                catalog.require_room(connection, max_points)
            for alias in aliases:
                catalog.set_alias(connection, alias, number)
        return number

    def _made(self, connection: apsw.Connection, number: int) -> Made:
        made = self._made_with.get(number)
        if made is None:
            made = catalog.made_with(connection, number)
            if made.width:
                self._made_with[number] = made
        return made

    def _check(self) -> None:
        with self._database.reading() as connection:
            reading.require_counts(connection)
            wrong = derived.out_of_step(connection)
        for number in wrong:
            with self._database.writing() as connection:
                derived.rebuild(connection, number)
