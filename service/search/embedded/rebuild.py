"""Build a collection's index anew beside the searches: another kind, other centroids, or no deleted points."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.search.embedded.contents import Contents, from_parts, with_live
from service.search.embedded.ids import IdColumn
from service.search.indexes.base import VectorIndex, Vectors
from service.search.view import Places, bits_of, places_of, size_of

CHUNK = 8_192  # places taken over at a time

Rows = NDArray[np.int64]
ReadVectors = Callable[[Rows], tuple[Rows, Vectors]]
"""Rows -> those of them that are still there, with their vectors."""


class Rebuild:
    """Takes the live places of a collection over into `index`, in several goes while the collection changes.

    For one thread; the last go, and `finish`, while nothing is written.
    """

    def __init__(self, index: VectorIndex, read: ReadVectors) -> None:
        self.index = index
        self._read = read
        self._ids = IdColumn()
        self._rows: list[Rows] = []
        self._upto = 0  # places of the old index that were looked at

    def behind(self, contents: Contents) -> int:
        """Places that were not looked at yet."""
        return contents.view.count - self._upto

    def take_over(self, contents: Contents, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take the live places over that came since the last time, or some of them where it is to stop."""
        view = contents.view
        places = places_of(view.live)
        for start in range(self._upto, view.count, CHUNK):
            if stopping():
                return
            end = min(start + CHUNK, view.count)
            first, last = np.searchsorted(places, [start, end])
            self._take_chunk(contents, places[first:last])
            self._upto = end

    def finish(self, contents: Contents) -> Contents:
        """What replaces `contents`, all of whose places were looked at."""
        rows = np.concatenate([*self._rows, np.empty(0, np.int64)])
        made = from_parts(self.index, self._ids, rows, contents.view.generation + 1)
        known = contents.view.rows[: contents.view.count]
        old_places = np.searchsorted(known, rows)
        flags = np.unpackbits(contents.view.live, bitorder="little")[old_places].astype(np.bool_)
        live = bits_of(np.flatnonzero(flags), len(rows))
        return with_live(made, live, size_of(live), contents.view.change)

    def _take_chunk(self, contents: Contents, places: Places) -> None:
        vectors = contents.index.vectors_at(places)
        rows = contents.view.rows[places]
        if vectors is None:
            rows, vectors = self._read(rows)
            places = np.searchsorted(contents.view.rows[: contents.view.count], rows)
        self.index.append(vectors)
        self._ids.extend(contents.ids.at(int(place)) for place in places)
        self._rows.append(rows)
