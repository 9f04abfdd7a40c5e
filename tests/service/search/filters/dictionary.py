"""A store that is a dictionary and a table of fields in memory: what the cache of filters asks, and what is true."""

import threading
from collections.abc import Iterator, Sequence

import apsw
import numpy as np
from numpy.typing import NDArray

from service.search.filters import fields
from service.search.filters.entries import entries
from service.search.filters.evaluate import matches
from service.search.filters.model import Filter, Lookup, Range, TimeRange
from service.search.points import Metadata, PointId
from service.search.view import View, bits_of


class DictionaryStore:
    """Points by row number. `_lock` guards everything, so that threads see one write after the other."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._connection = apsw.Connection(":memory:")
        self._connection.execute(fields.FIELDS)
        self._points: dict[int, tuple[PointId, Metadata | None]] = {}
        self._rows: list[int] = []
        self._next_row = 5
        self._generation = 0
        self.asked: list[str] = []

    def add(self, *points: tuple[PointId, Metadata | None]) -> None:
        """Write points; those whose ids they have are gone."""
        with self._lock:
            self.delete(*(point_id for point_id, _ in points))
            for point_id, metadata in points:
                self._points[self._next_row] = (point_id, metadata)
                self._rows.append(self._next_row)
                fields.insert(self._connection, 1, [(self._next_row, entries(metadata))])
                self._next_row += 2  # what is between them is of other collections

    def delete(self, *ids: PointId) -> None:
        """Delete points."""
        with self._lock:
            for row in [row for row, (point_id, _) in self._points.items() if point_id in ids]:
                fields.remove(self._connection, 1, [(row, entries(self._points.pop(row)[1]))])

    def rebuild(self) -> None:
        """Give places anew, to the points that are there."""
        with self._lock:
            self._rows = [*self._points]
            self._generation += 1

    def view(self) -> View:
        """What there is now."""
        with self._lock:
            count = len(self._rows)
            live = np.array([place for place, row in enumerate(self._rows) if row in self._points], np.int64)
            return View(self._generation, count, np.array(self._rows, np.int64), bits_of(live, count), len(live))

    def ids(self, view: View, bits: NDArray[np.uint8]) -> list[PointId]:
        """Of the live places of a set, which must be those of points that are still there."""
        places = np.flatnonzero(np.unpackbits(bits & view.live, bitorder="little"))
        return [self._points[int(view.rows[place])][0] for place in places]

    def expected(self, filter: Filter) -> list[PointId]:
        """The ids that the filter lets through, by what it means for each point."""
        return [point_id for point_id, metadata in self._points.values() if matches(filter, point_id, metadata)]

    def matching_rows(self, lookup: Lookup) -> NDArray[np.int64]:
        """As Source has it."""
        with self._lock:
            self.asked.append("table")
            return fields.matching_rows(self._connection, 1, lookup)

    def numbers(self, lookup: Range | TimeRange) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """As Source has it."""
        with self._lock:
            self.asked.append("numbers")
            return fields.numbers(self._connection, 1, lookup)

    def metadata_after(self, row: int) -> Iterator[tuple[int, Metadata | None]]:
        """As Source has it."""
        with self._lock:
            self.asked.append(f"after {row}")
            found = [(number, metadata) for number, (_, metadata) in self._points.items() if number > row]
        return iter(found)

    def rows_of_ids(self, ids: Sequence[PointId]) -> NDArray[np.int64]:
        """As Source has it."""
        with self._lock:
            self.asked.append("ids")
            return np.array([row for row, (point_id, _) in self._points.items() if point_id in ids], np.int64)

    def is_current(self, view: View) -> bool:
        """As Source has it."""
        now = self.view()
        self.asked.append("current")
        return view.count == now.count and view.live.tobytes() == now.live.tobytes()
