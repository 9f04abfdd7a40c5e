"""One named set of points: writes go to the store and then to the index, searches the other way round."""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.errors import Conflict, InvalidInput, NotFound, Unavailable
from service.search import rows, vectors
from service.search.index import FlatIndex
from service.search.points import CollectionInfo, Hit, Point, PointId, StoredPoint, Upserted
from service.search.store import Store

COSINE = "cosine"
"""Vectors are made unit length when they are stored and when they are searched for."""
DOT = "dot"
"""Vectors are taken as they are."""
METRICS = (COSINE, DOT)

OPTIMISTIC_TRIES = 2  # searches beside the writer, before one that makes it wait
SHORT = 12  # characters of a fingerprint that are shown


class Collection:
    """Points, durable and searchable.

    Any thread may call any method. `_lock` is held by a write from the transaction until the index has it too, so
    that whoever holds it sees store and index agree; searches and look-ups normally do without it.
    """

    def __init__(
        self, store: Store, number: int, info: CollectionInfo, *, running_fingerprint: str, max_points: int
    ) -> None:
        self._store = store
        self._number = number
        self._info = info
        self._running_fingerprint = running_fingerprint
        self._max_points = max_points
        self._index = FlatIndex(info.dimension)
        self._lock = threading.Lock()
        self._dropped = False

    def info(self) -> CollectionInfo:
        """What the collection says of itself, with the present count."""
        return replace(self._info, count=self.count())

    def require_model(self) -> None:
        """Raise Conflict unless the running model made the vectors; cheap, so ask before a text is embedded."""
        if self._info.fingerprint != self._running_fingerprint:
            raise Conflict(
                f'Collection "{self._info.name}" was made with model {self._info.fingerprint[:SHORT]}, and the running '
                f"model is {self._running_fingerprint[:SHORT]}: drop the collection, or start the server with the "
                "checkpoint it was made with."
            )

    def count(self) -> int:
        """How many points there are."""
        self._require_here()
        return self._store.count(self._number)

    def upsert(self, points: Sequence[Point]) -> Upserted:
        """Write `points` as a whole; on the disk and found by searches when this returns.

        Raises InvalidInput (a vector, id, text or metadata breaks a rule, or an id comes twice), Conflict (another
        model), StorageFull (no room on the disk or under the limit), Unavailable (the store is broken), NotFound
        (dropped meanwhile); after any of them nothing has changed.
        """
        self.require_model()
        if not points:
            return Upserted((), 0, 0)
        _refuse_repeats([point.id for point in points])
        stacked = vectors.stack([point.vector for point in points], self._info.dimension, "points")
        stacked = self._scaled(stacked, "points")
        packed = rows.pack(points, stacked, self._info.fingerprint)
        with self._lock:
            self._require_here()
            written = self._store.upsert(self._number, packed, self._max_points)
            self._index.replace(written.removed, written.rows, stacked)
        replaced = len(written.removed)
        return Upserted(tuple(point.id for point in points), len(points) - replaced, replaced)

    def delete(self, ids: Sequence[PointId]) -> int:
        """Delete the points with these ids, on the disk when this returns; returns how many there were."""
        rows.check_ids(ids, "ids")
        with self._lock:
            self._require_here()
            removed = self._store.delete(self._number, ids)
            self._index.remove(removed)
        return len(removed)

    def get(self, ids: Sequence[PointId]) -> list[StoredPoint]:
        """The points with these ids, in their order; missing ones are left out."""
        rows.check_ids(ids, "ids")
        self._require_here()
        return self._store.points_by_id(self._number, ids)

    def search(self, queries: NDArray[np.float32], limit: int, score_threshold: float | None = None) -> list[list[Hit]]:
        """For each of `queries` (q, dimension): at most `limit` hits, best first, none under `score_threshold`.

        Raises InvalidInput, Conflict (another model), NotFound (dropped meanwhile), Unavailable (the store is broken).
        """
        self.require_model()
        self._require_here()
        if limit < 1:
            raise InvalidInput(f"limit is {limit}; expected 1 or more.")
        if score_threshold is not None and not math.isfinite(score_threshold):
            raise InvalidInput("score_threshold is not a finite number.")
        vectors.require(queries, self._info.dimension, "queries")
        queries = self._scaled(queries, "queries")
        lowest = -math.inf if score_threshold is None else score_threshold
        for _ in range(OPTIMISTIC_TRIES):
            hits = self._search_once(queries, limit, lowest)
            if hits is not None:
                return hits
        with self._lock:
            self._require_here()
            hits = self._search_once(queries, limit, lowest)
        if hits is None:
            raise Unavailable("The index disagrees with the store; a restart of the service rebuilds it.")
        return hits

    def load(self, row_numbers: NDArray[np.int64], stored: NDArray[np.float32]) -> None:
        """Put rows of the store, with vectors (n, dimension) as stored, into the index; for start-up."""
        self._index.add(row_numbers, stored)

    def drop(self) -> int:
        """Delete everything; every later call raises NotFound. Returns how many points there were."""
        with self._lock:
            self._require_here()
            dropped = self._store.drop_collection(self._number)
            self._dropped = True
        return dropped

    def agrees(self) -> bool:
        """Whether the index has as many rows as the store; a write that is under way is waited for."""
        if len(self._index) == self._store.count(self._number):
            return True
        with self._lock:
            return self._dropped or len(self._index) == self._store.count(self._number)

    def _search_once(self, queries: NDArray[np.float32], limit: int, lowest: float) -> list[list[Hit]] | None:
        """Hits, or None if a point was replaced or deleted between the look at the index and the look at the store."""
        scores, numbers = self._index.search(queries, limit)
        answers = [
            [(row, score) for row, score in zip(*pair, strict=True) if score >= lowest]
            for pair in zip(numbers.tolist(), scores.tolist(), strict=True)
        ]
        wanted = {row for answer in answers for row, _ in answer}
        points = self._store.points_by_row(np.array(sorted(wanted), np.int64))
        if len(points) < len(wanted):
            return None
        return [[_hit(points[row], score) for row, score in answer] for answer in answers]

    def _scaled(self, given: NDArray[np.float32], what: str) -> NDArray[np.float32]:
        return vectors.unit(given, what) if self._info.metric == COSINE else given

    def _require_here(self) -> None:
        if self._dropped:
            raise NotFound(f'Collection "{self._info.name}" was dropped.')


def _hit(point: StoredPoint, score: float) -> Hit:
    return Hit(point.id, score, point.text, point.metadata)


def _refuse_repeats(ids: Sequence[PointId]) -> None:
    first: dict[PointId, int] = {}
    for position, point_id in enumerate(ids):
        if first.setdefault(point_id, position) != position:
            raise InvalidInput(f"points[{position}] has the same id as points[{first[point_id]}]; send each id once.")
