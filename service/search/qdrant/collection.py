"""One named set of points in Qdrant."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from service.errors import Conflict, InvalidInput
from service.search import vectors
from service.search.checks import refuse_repeats
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
from service.search.qdrant import reading, searching, snapshots, state, writing
from service.search.qdrant.asking import planned
from service.search.qdrant.connection import Place
from service.search.qdrant.facts import Facts, facts_of
from service.search.qdrant.failures import missing
from service.search.qdrant.fields import FieldIndexes, of_selection
from service.search.recall import measured_recall
from service.search.store import rows

SHORT = 12  # characters of a fingerprint that are shown


class QdrantCollection:
    """Points that Qdrant keeps; nothing of them is kept here. Any thread may call any method."""

    def __init__(
        self, place: Place, facts: Facts, indexes: FieldIndexes, *, running_fingerprint: str, max_points: int
    ) -> None:
        self._place = place
        self._facts = facts
        self._indexes = indexes
        self._running_fingerprint = running_fingerprint
        self._max_points = max_points

    @property
    def name(self) -> str:
        """Its own, also where it was found by an alias."""
        return self._place.name

    def info(self) -> CollectionInfo:
        """What the collection says of itself. The count is Qdrant's own figure, which can be a little off while it
        merges segments; `count` counts."""
        with self._place.calling() as client:
            found = client.get_collection(self._place.name)
        facts = facts_of(found)
        if facts is None or facts.identity != self._facts.identity:
            raise missing(self._place.name)
        return facts.told(self._place.name, found.points_count or 0)

    def report(self, *, measure: bool = False) -> IndexReport:
        """The state of its index; `measure` measures the recall anew."""
        exact = self._facts.index == "flat" and self._facts.storage == "float32"
        recall = measured_recall(state.sample(self._place, self._facts), self.search) if measure else None
        return state.report(self._place, self._facts, 1.0 if exact else recall)

    def require_model(self) -> None:
        """Raise Conflict unless the running model made the vectors."""
        if self._facts.fingerprint != self._running_fingerprint:
            raise Conflict(
                f'Collection "{self.name}" was made with model {self._facts.fingerprint[:SHORT]}, and the running '
                f"model is {self._running_fingerprint[:SHORT]}: re-embed it with `mcse reindex`, or start the server "
                "with the checkpoint it was made with."
            )

    def upsert(self, points: Sequence[Point], on_conflict: OnConflict = "replace") -> Upserted:
        """Write `points`, confirmed and found by searches when this returns.

        One request is one write on each shard; should a shard fail in the middle of it, the others keep their part, and
        sending it again completes it.
        """
        self.require_model()
        if not points:
            return Upserted((), 0, 0)
        refuse_repeats([point.id for point in points])
        stacked = vectors.stack([point.vector for point in points], self._facts.dimension, "points")
        stacked = vectors.scaled(stacked, self._facts.dimension, self._facts.metric, "points")
        return writing.upsert(self._place, points, stacked, on_conflict, self._max_points)

    def delete(self, selection: Selection) -> int:
        """Delete these points; returns how many there were."""
        self._prepare(selection)
        return writing.delete(self._place, selection)

    def set_metadata(self, selection: Selection, metadata: Metadata) -> int:
        """Set these fields of the points' metadata and leave the others; returns how many points there were."""
        self._prepare(selection)
        return writing.set_metadata(self._place, selection, metadata)

    def delete_metadata(self, selection: Selection, keys: Sequence[str]) -> int:
        """Delete these top-level fields of the points' metadata; returns how many points there were."""
        self._prepare(selection)
        return writing.delete_metadata(self._place, selection, keys)

    def get(self, ids: Sequence[PointId]) -> list[StoredPoint]:
        """The points with these ids, in their order; missing ones are left out."""
        return reading.get(self._place, ids)

    def count(self, selection: Selection | None = None) -> int:
        """How many points there are, or how many of a selection."""
        self._prepare(selection)
        return reading.count(self._place, selection)

    def scroll(self, *, limit: int, cursor: str | None = None, selection: Selection | None = None) -> Page:
        """The next `limit` points in the order of Qdrant's ids."""
        self._prepare(selection)
        return reading.scroll(self._place, self._facts.identity, limit, cursor, selection)

    def search(self, search: Search) -> list[list[Hit]]:
        """For each query its hits, best first."""
        self.require_model()
        plan = planned(search, self._facts)
        self._indexes.want(search.filter)
        return searching.search(self._place, plan)

    def search_groups(self, search: Search, *, by: str, size: int) -> list[list[Group]]:
        """For each query at most `search.limit` groups of at most `size` hits that share a value of the field `by`."""

        def find(limit: int) -> list[list[Hit]]:
            return self.search(replace(search, limit=limit, with_metadata=True))

        return search_until_full(find, by, groups=search.limit, size=size)

    def create_snapshot(self) -> SnapshotInfo:
        """Let Qdrant write a snapshot and keep it."""
        return snapshots.create(self._place)

    def snapshots(self) -> list[SnapshotInfo]:
        """The snapshots that this service made, oldest first."""
        return snapshots.there(self._place)

    def snapshot_path(self, name: str) -> Path:  # noqa: ARG002
        """Raises InvalidInput: Qdrant keeps the file."""
        raise snapshots.not_here()

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot; raises NotFound."""
        snapshots.delete(self._place, name)

    def _prepare(self, selection: Selection | None) -> None:
        """Check a selection, and have its fields indexed."""
        if selection is None:
            return
        if (selection.ids is None) == (selection.filter is None):
            raise InvalidInput("Which points is said by their ids or by a filter; give one of the two.")
        if selection.ids is not None:
            rows.check_ids(selection.ids, "ids")
        self._indexes.want(of_selection(selection))
