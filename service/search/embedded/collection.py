"""One named set of points: writes go to the store and then to the index, searches the other way round."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.errors import Conflict, InvalidInput, NotFound, ServiceError, Unavailable
from service.search import vectors
from service.search.checks import check_metadata_size, check_search, refuse_repeats
from service.search.embedded import contents, cursor
from service.search.embedded.catching_up import caught_up, with_later_blocks
from service.search.embedded.contents import Contents
from service.search.embedded.kinds import first_index
from service.search.embedded.searching import OutOfDate, Searcher
from service.search.embedded.snapshots import Snapshots
from service.search.embedded.source import StoreSource
from service.search.filters.cache import FilterCache
from service.search.grouping import search_until_full
from service.search.points import (
    CollectionInfo,
    Group,
    Hit,
    IndexReport,
    Metadata,
    OnConflict,
    Page,
    Point,
    PointId,
    Search,
    Selection,
    SnapshotInfo,
    StoredPoint,
    Upserted,
)
from service.search.recall import SAMPLE, measured_recall
from service.search.store import rows
from service.search.store.store import Store, Written
from service.search.view import places_of, places_of_rows

OPTIMISTIC_TRIES = 3  # searches beside the writer, before one that makes it wait
FILTER_CACHE_BYTES = 32 * 1024**2
SHORT = 12  # characters of a fingerprint that are shown

log = logging.getLogger(__name__)


class StoredCollection:
    """See Collection in backend.py.

    `lock` is held by a write from the transaction until the contents have it too, so that whoever holds it sees both
    agree; searches and look-ups normally do without it. `contents` is replaced as a whole, so that a search sees one
    consistent state. Where the contents could not take what the store has committed, because there was no memory or the
    disk did not answer, the write is acknowledged, and whoever comes next brings them in step before anything else.
    """

    def __init__(
        self,
        store: Store,
        number: int,
        info: CollectionInfo,
        snapshots: Snapshots,
        *,
        running_fingerprint: str,
        max_points: int,
        max_metadata_bytes: int,
    ) -> None:
        self.store = store
        self.number = number
        self.static_info = info
        self.lock = threading.Lock()
        self.contents = contents.empty(first_index(info, info.count))
        self.building = False
        self.is_behind = False
        """Whether the store has committed what the contents could not take."""
        self.dropped = False
        self.damage: str | None = None
        """What the check of the store found wrong."""
        self.unverified = False
        """Whether the rows of the store have still to be read and checked."""
        self.kept_count = 0
        """Places that the index on disk has."""
        self._recall: float | None = None
        self._snapshots = snapshots
        self._running_fingerprint = running_fingerprint
        self._max_points = max_points
        self._max_metadata_bytes = max_metadata_bytes
        self._filters = FilterCache(StoreSource(store, number), FILTER_CACHE_BYTES)
        self._searcher = Searcher(store, number, self._filters)

    def info(self) -> CollectionInfo:
        """See Collection."""
        return replace(self.static_info, count=self.count())

    def report(self, *, measure: bool = False) -> IndexReport:
        """See Collection."""
        self._require_here()
        now = self.contents
        if measure:
            places = places_of(now.view.live)
            chosen = np.random.default_rng(0).choice(places, min(SAMPLE, len(places)), replace=False)
            sample = self.store.points_by_row(self.number, np.sort(now.view.rows[chosen])).values()
            queries = np.array([point.vector for point in sample], np.float32).reshape(
                len(sample), self.static_info.dimension
            )
            self._recall = measured_recall(queries, self.search)
        return IndexReport(
            kind=now.index.kind,
            memory_bytes=now.memory_bytes,
            deleted_share=1 - now.view.live_count / now.view.count if now.view.count else 0.0,
            building=self.building or now.index.unfinished() > 0,
            recall=1.0 if now.index.kind == "flat" else self._recall,
        )

    def require_model(self) -> None:
        """See Collection."""
        if self.static_info.fingerprint != self._running_fingerprint:
            raise Conflict(
                f'Collection "{self.static_info.name}" was made with model {self.static_info.fingerprint[:SHORT]}, and '
                f"the running model is {self._running_fingerprint[:SHORT]}: re-embed it with `mcse reindex`, or start "
                "the server with the checkpoint it was made with."
            )

    def upsert(self, points: Sequence[Point], on_conflict: OnConflict = "replace") -> Upserted:
        """See Collection."""
        self.require_model()
        if not points:
            return Upserted((), 0, 0)
        refuse_repeats([point.id for point in points])
        stacked = vectors.stack([point.vector for point in points], self.static_info.dimension, "points")
        stacked = vectors.scaled(stacked, self.static_info.dimension, self.static_info.metric, "points")
        packed = rows.pack(points, stacked, self.static_info.fingerprint)
        with self._writing():
            written = self.store.upsert(self.number, packed, self._max_points, on_conflict)
            left_out = set(written.skipped)
            kept = [position for position in range(len(points)) if position not in left_out]
            with self._taking():
                self._take(written, [points[position].id for position in kept], stacked[kept])
        inserted = len(kept) - len(written.removed)
        return Upserted(tuple(point.id for point in points), inserted, len(written.removed), len(left_out))

    def delete(self, selection: Selection) -> int:
        """See Collection."""
        with self._writing():
            if selection.ids is not None:
                rows.check_ids(selection.ids, "ids")
                removed = self.store.delete(self.number, selection.ids)
            else:
                removed = self.store.delete_rows(self.number, self._rows_of(selection))
            with self._taking():
                self._take(Written(np.empty(0, np.int64), removed), [], self._no_vectors())
        return len(removed)

    def set_metadata(self, selection: Selection, metadata: Metadata) -> int:
        """See Collection."""

        def merged(before: Metadata) -> Metadata:
            after = {**before, **metadata}
            check_metadata_size(after, self._max_metadata_bytes)
            return after

        return self._change_metadata(selection, merged)

    def delete_metadata(self, selection: Selection, keys: Sequence[str]) -> int:
        """See Collection."""
        gone = set(keys)
        return self._change_metadata(selection, lambda before: {k: v for k, v in before.items() if k not in gone})

    def get(self, ids: Sequence[PointId]) -> list[StoredPoint]:
        """See Collection."""
        rows.check_ids(ids, "ids")
        self._require_here()
        return self.store.points_by_id(self.number, ids)

    def count(self, selection: Selection | None = None) -> int:
        """See Collection."""
        self._require_here()
        if selection is None:
            return self.store.count(self.number)
        return len(self._selected(selection)[1])

    def scroll(self, *, limit: int, cursor: str | None = None, selection: Selection | None = None) -> Page:
        """See Collection."""
        self._require_here()
        if limit < 1:
            raise InvalidInput(f"limit is {limit}; expected 1 or more.")
        after = self._decoded(cursor)
        now, places = self._selected(selection)
        numbers = now.view.rows[places]
        following = numbers[np.searchsorted(numbers, after, side="right") :][: limit + 1]
        points = self.store.points_by_row(self.number, following[:limit])
        page = tuple(points[row] for row in following[:limit].tolist() if row in points)
        return Page(page, self._encoded(int(following[limit - 1])) if len(following) > limit else None)

    def search(self, search: Search) -> list[list[Hit]]:
        """See Collection."""
        self.require_model()
        self._require_here()
        check_search(search)
        info, given = self.static_info, search.queries
        queries = self._no_vectors() if given is None else vectors.scaled(given, info.dimension, info.metric, "queries")
        self.catch_up()
        for _ in range(OPTIMISTIC_TRIES):
            try:
                return self._searcher.hits(search, queries, self.contents)
            except OutOfDate:
                continue
        with self.lock:
            self._require_here()
            try:
                return self._searcher.hits(search, queries, self.contents)
            except OutOfDate:
                raise _disagrees() from None

    def search_groups(self, search: Search, *, by: str, size: int) -> list[list[Group]]:
        """See Collection."""

        def find(limit: int) -> list[list[Hit]]:
            return self.search(replace(search, limit=limit, with_metadata=True))

        return search_until_full(find, by, groups=search.limit, size=size)

    def create_snapshot(self) -> SnapshotInfo:
        """See Collection."""
        self._require_here()
        return self._snapshots.create(self.static_info.name, self.number)

    def snapshots(self) -> list[SnapshotInfo]:
        """See Collection."""
        self._require_here()
        return self._snapshots.list(self.static_info.name)

    def snapshot_path(self, name: str) -> Path:
        """See Collection."""
        self._require_here()
        return self._snapshots.path(self.static_info.name, name)

    def delete_snapshot(self, name: str) -> None:
        """See Collection."""
        self._require_here()
        self._snapshots.delete(self.static_info.name, name)

    def drop(self) -> int:
        """Delete everything; every later call raises NotFound. Returns how many points there were."""
        with self._writing():
            dropped = self.store.drop_collection(self.number)
            self.dropped = True
        return dropped

    def agrees(self) -> bool:
        """Whether the contents have as many points as the store; a write that is under way is waited for."""
        if self._is_in_step():
            return True
        with self.lock:
            return self.dropped or self._is_in_step()

    def _is_in_step(self) -> bool:
        view = self.contents.view
        there = self.store.count(self.number), self.store.last_change(self.number)
        return not self.is_behind and (view.live_count, view.change) == there

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self.lock:
            self._require_here()
            self._catch_up()
            yield

    def catch_up(self) -> None:
        """Bring the contents in step with the store, if they are behind. Raises Unavailable."""
        if self.is_behind:
            with self.lock:
                self._require_here()
                self._catch_up()

    def _catch_up(self) -> None:
        """For whoever holds the lock."""
        if not self.is_behind:
            return
        generation = self.contents.view.generation + 1
        try:
            known = caught_up(self.store, self.number, self.contents)
            if known is None:
                anew = contents.empty(first_index(self.static_info, self.static_info.count), generation)
                known = with_later_blocks(self.store, self.number, anew)
        except MemoryError:
            raise Unavailable("There is no memory for the index at the moment; the points are safe.") from None
        self.contents = known
        self.is_behind = False

    @contextmanager
    def _taking(self) -> Iterator[None]:
        """Around what follows a commit."""
        try:
            yield
        except BaseException as error:
            self.is_behind = True
            if not isinstance(error, ServiceError | MemoryError):
                raise
            log.warning("index behind", extra={"reason": str(error), "collection": self.static_info.name})

    def _take(self, written: Written, ids: Sequence[PointId], stacked: NDArray[np.float32]) -> None:
        """Into the contents, what the store has committed."""
        change = self.store.last_change(self.number)
        self.contents = contents.changed(self.contents, written.removed, written.rows, ids, stacked, change)

    def _change_metadata(self, selection: Selection, change: Callable[[Metadata], Metadata]) -> int:
        with self._writing():
            selected = self._rows_of(selection)
            written = self.store.replace_metadata(self.number, selected, change)
            with self._taking():
                points = self.store.points_by_row(self.number, written.rows)
                found = [points[row] for row in written.rows.tolist()]
                stacked = np.stack([point.vector for point in found]) if found else self._no_vectors()
                self._take(written, [point.id for point in found], stacked)
        return len(selected)

    def _selected(self, selection: Selection | None) -> tuple[Contents, NDArray[np.int64]]:
        """Some contents, and the places of a selection in it, ascending; of all points where there is none."""
        self.catch_up()
        for _ in range(OPTIMISTIC_TRIES):
            try:
                return self._selected_in(self.contents, selection)
            except OutOfDate:
                continue
        with self.lock:
            return self._selected_for_certain(selection)

    def _selected_for_certain(self, selection: Selection | None) -> tuple[Contents, NDArray[np.int64]]:
        """For whoever holds the lock."""
        self._require_here()
        try:
            return self._selected_in(self.contents, selection)
        except OutOfDate:
            raise _disagrees() from None

    def _selected_in(self, now: Contents, selection: Selection | None) -> tuple[Contents, NDArray[np.int64]]:
        if selection is None:
            return now, places_of(now.view.live)
        if selection.ids is not None:
            rows.check_ids(selection.ids, "ids")
            found = np.unique(self.store.rows_of_ids(self.number, selection.ids))
            places = places_of_rows(found, now.view)
            if len(places) < len(found):
                raise OutOfDate
            return now, places
        if selection.filter is None:
            raise InvalidInput("No points were named; send `ids` or a `filter`.")
        allowed = self._searcher.allowed(Search(filter=selection.filter), now)
        return now, places_of(now.view.live if allowed is None else allowed)

    def _rows_of(self, selection: Selection) -> NDArray[np.int64]:
        """For a write, which holds the lock."""
        now, places = self._selected_for_certain(selection)
        return now.view.rows[places]

    def _decoded(self, given: str | None) -> int:
        return 0 if given is None else cursor.decode(given, self.store.identity, self.number)

    def _encoded(self, row: int) -> str:
        return cursor.encode(self.store.identity, self.number, row)

    def _no_vectors(self) -> NDArray[np.float32]:
        return np.empty((0, self.static_info.dimension), np.float32)

    def _require_here(self) -> None:
        if self.dropped:
            raise NotFound(f'Collection "{self.static_info.name}" was dropped.')


def _disagrees() -> Unavailable:
    return Unavailable("The index disagrees with the store; a restart of the service rebuilds it.")
