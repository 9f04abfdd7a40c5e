"""What a collection has in memory: rows and ids by place, and the index over their vectors."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.search.embedded.ids import IdColumn
from service.search.indexes.base import VectorIndex, Vectors
from service.search.points import PointId
from service.search.view import Bits, View, first_places, none, places_of_rows, with_changes

Rows = NDArray[np.int64]


class Contents(NamedTuple):
    """One consistent state. A change makes another one; a search that began with this one ends with it, and no search
    needs a lock."""

    view: View
    ids: IdColumn
    index: VectorIndex  # type: ignore[assignment]  # a tuple has a method of that name, which nobody calls

    @property
    def memory_bytes(self) -> int:
        """Of all parts."""
        return self.index.memory_bytes() + self.ids.memory_bytes() + self.view.rows.nbytes + self.view.live.nbytes

    @property
    def all_live(self) -> bool:
        """Whether every place is of a point that is there."""
        return self.view.live_count == self.view.count


def empty(index: VectorIndex, generation: int = 0) -> Contents:
    """No points yet."""
    return Contents(View(generation, 0, np.empty(1024, np.int64), none(0), 0), IdColumn(), index)


def changed(
    before: Contents, removed: Rows, rows: Rows, ids: Iterable[PointId], vectors: Vectors, change: int
) -> Contents:
    """Without the rows `removed`, and with new ones: `rows` (n,) ascending, above all that there were.

    Changes the index and the ids of `before` too, but only behind the places that `before` knows; one call at a time.
    Raises MemoryError.
    """
    view = before.view
    if (np.diff(rows, prepend=view.rows[view.count - 1] if view.count else 0) <= 0).any():
        raise ValueError("row numbers must grow")
    if len(rows):
        before.index.append(vectors)
        before.ids.extend(ids)
    count = view.count + len(rows)
    every_row = _with_room(view.rows, view.count, count)
    every_row[view.count : count] = rows
    gone = places_of_rows(np.sort(removed), view)
    live = with_changes(view.live, count, added=np.arange(view.count, count), removed=gone)
    now = View(view.generation, count, every_row, live, view.live_count + len(rows) - len(gone), change)
    return before._replace(view=now)


def with_live(before: Contents, live: Bits, live_count: int, change: int) -> Contents:
    """The same places, of which others are live."""
    return before._replace(view=replace(before.view, live=live, live_count=live_count, change=change))


def from_parts(index: VectorIndex, ids: IdColumn, rows: Rows, generation: int) -> Contents:
    """Places that were put together elsewhere, all of them live."""
    view = View(generation, len(rows), rows, first_places(len(rows)), len(rows))
    return Contents(view, ids, index)


def _with_room(rows: Rows, used: int, wanted: int) -> Rows:
    """The array, or a larger copy of it."""
    if wanted <= len(rows):
        return rows
    larger = np.empty(max(wanted, 2 * len(rows)), np.int64)
    larger[:used] = rows[:used]
    return larger
