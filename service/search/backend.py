"""What a place for collections must be able to do: the embedded store and a Qdrant cluster do the same.

Every method may be called from any thread, blocks until it is done, and raises only errors of `service.errors`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from service.search.points import (
    CollectionInfo,
    Group,
    Hit,
    IndexKind,
    IndexReport,
    Metadata,
    Metric,
    OnConflict,
    Page,
    Point,
    PointId,
    Search,
    Selection,
    SnapshotInfo,
    Storage,
    StoredPoint,
    Upserted,
)


class Collection(Protocol):
    """One named set of points. Every method raises NotFound once the collection was dropped, Unavailable where the
    store is broken."""

    def info(self) -> CollectionInfo:
        """What the collection says of itself, with the present count: where the store is a cluster, its own figure,
        which can be a little off while it merges segments."""

    def report(self, *, measure: bool = False) -> IndexReport:
        """The state of its index; `measure` measures the recall anew, which takes as long as some exact searches."""

    def require_model(self) -> None:
        """Raise Conflict unless the running model made the vectors; cheap, so ask before a text is embedded."""

    def upsert(self, points: Sequence[Point], on_conflict: OnConflict = "replace") -> Upserted:
        """Write `points` as a whole: durable and found by searches when this returns, without a trace if it raises.

        `on_conflict` says what becomes of a point whose id is there: it takes the place of the old one, is left out,
        or the whole write raises Conflict. Raises InvalidInput (a vector, id, text or metadata breaks a rule, or an id
        comes twice), Conflict (another model), StorageFull. A cluster writes each shard as a whole: should one fail
        meanwhile, the others keep their part, and sending the same again completes it.
        """

    def delete(self, selection: Selection) -> int:
        """Delete these points; returns how many there were."""

    def set_metadata(self, selection: Selection, metadata: Metadata) -> int:
        """Set these fields of the points' metadata and leave the others; returns how many points there were."""

    def delete_metadata(self, selection: Selection, keys: Sequence[str]) -> int:
        """Delete these top-level fields of the points' metadata; returns how many points there were."""

    def get(self, ids: Sequence[PointId]) -> list[StoredPoint]:
        """The points with these ids, in their order; missing ones are left out."""

    def count(self, selection: Selection | None = None) -> int:
        """How many points there are, or how many of a selection."""

    def scroll(self, *, limit: int, cursor: str | None = None, selection: Selection | None = None) -> Page:
        """The next `limit` points in the order of writing, or in the order of its own ids where a cluster knows no
        other. Raises InvalidInput for a cursor that another collection, or nobody, gave out."""

    def search(self, search: Search) -> list[list[Hit]]:
        """For each query its hits, best first. Raises InvalidInput and Conflict (another model)."""

    def search_groups(self, search: Search, *, by: str, size: int) -> list[list[Group]]:
        """For each query at most `search.limit` groups of at most `size` hits that share a value of the field `by`."""

    def create_snapshot(self) -> SnapshotInfo:
        """Write the collection, as it is at this moment, to a file; reads and writes go on."""

    def snapshots(self) -> list[SnapshotInfo]:
        """The snapshot files there are, oldest first."""

    def snapshot_path(self, name: str) -> Path:
        """Where a snapshot is; raises NotFound, or InvalidInput where a cluster keeps its snapshots itself."""

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot; raises NotFound."""


class Backend(Protocol):
    """All collections of one place."""

    def create(
        self,
        name: str,
        *,
        space: str,
        metric: Metric = "cosine",
        index: IndexKind = "auto",
        storage: Storage = "float32",
        description: str | None = None,
    ) -> Collection:
        """Make an empty collection. Raises Conflict if the name, or an alias of that name, is there; InvalidInput."""

    def get(self, name: str) -> Collection:
        """The collection of this name or alias; raises NotFound, or InvalidInput for a name that none can have."""

    def drop(self, name: str) -> int:
        """Delete a collection with its points and the aliases for it; returns how many points it had."""

    def list(self) -> list[CollectionInfo]:
        """What every collection says of itself, oldest first."""

    def aliases(self) -> dict[str, str]:
        """Alias -> name of its collection."""

    def set_alias(self, alias: str, name: str) -> str | None:
        """Let `alias` stand for the collection `name` from now on, in one step; returns which one it stood for before.

        Raises NotFound, Conflict if a collection has that name.
        """

    def delete_alias(self, alias: str) -> None:
        """Raises NotFound."""

    def restore(self, name: str, file: Path, *, replace: bool = False) -> Collection:
        """Make the collection `name` from a snapshot file, as a whole or not at all.

        Raises InvalidInput (the file is damaged or no snapshot), Conflict (there is one of that name and not `replace`,
        or the file's vectors are of another model), StorageFull. A cluster restores its own snapshots by its own means
        and raises InvalidInput here.
        """

    def verify(self) -> Iterable[str]:
        """Names of the failing checks; none when all is well."""

    def close(self) -> None:
        """Let running calls end; every later call raises Unavailable."""
