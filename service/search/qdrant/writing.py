"""Writes to one collection in Qdrant: each is one request, confirmed by Qdrant before it returns.

What Qdrant does not say, how many points were there before, is asked for first; a write of another process between the
two can make these numbers wrong, and nothing else.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from service.errors import Conflict, StorageFull
from service.search.points import Metadata, OnConflict, Point, Selection, Upserted
from service.search.qdrant.connection import Place, require_done
from service.search.qdrant.filters import of_selection
from service.search.qdrant.layout import Key, checked_metadata, key_of, structs
from service.search.qdrant.metadata import delete_fields, set_fields
from service.search.store import rows

STRONG = models.WriteOrdering.STRONG


def upsert(
    place: Place, points: Sequence[Point], vectors: NDArray[np.float32], on_conflict: OnConflict, max_points: int
) -> Upserted:
    """Write `points`, whose checked vectors are the rows of `vectors`. Raises InvalidInput, Conflict, StorageFull."""
    ids = tuple(point.id for point in points)
    rows.check_ids(ids, "points")
    made = structs(points, vectors)
    there = _there(place, [key_of(point_id) for point_id in ids])
    old = [position for position, struct in enumerate(made) if struct.id in there]
    if old and on_conflict == "error":
        raise Conflict(f"points[{old[0]}] has an id that is there already; send it with another on_conflict.")
    if len(old) < len(made):
        _require_room(place, len(made) - len(old), max_points)
    if on_conflict == "replace":
        _write(place, made, models.UpdateMode.UPSERT)
        return Upserted(ids, len(made) - len(old), len(old))
    _write(place, [struct for struct in made if struct.id not in there], models.UpdateMode.INSERT_ONLY)
    return Upserted(ids, len(made) - len(old), 0, len(old))


def delete(place: Place, selection: Selection) -> int:
    """Delete these points; returns how many there were."""
    wanted = of_selection(selection)
    with place.calling() as client:
        count = client.count(place.name, count_filter=wanted, exact=True).count
        if count:
            require_done(client.delete(place.name, models.FilterSelector(filter=wanted), wait=True, ordering=STRONG))
    return count


def set_metadata(place: Place, selection: Selection, metadata: Metadata) -> int:
    """Set these fields and leave the others; returns how many points there were."""
    return set_fields(place, of_selection(selection), checked_metadata(metadata, "The metadata"))


def delete_metadata(place: Place, selection: Selection, keys: Sequence[str]) -> int:
    """Delete these top-level fields; returns how many points there were."""
    return delete_fields(place, of_selection(selection), keys)


def _there(place: Place, keys: Sequence[Key]) -> set[Key]:
    with place.calling() as client:
        return {record.id for record in client.retrieve(place.name, keys, with_payload=False, with_vectors=False)}


def _require_room(place: Place, more: int, max_points: int) -> None:
    """Against the estimate of Qdrant, which costs nothing and is at most some segments' moves off."""
    with place.calling() as client:
        count = client.count(place.name, exact=False).count
    if count + more > max_points:
        raise StorageFull(
            f"The collection would have {count + more} points, over its limit of {max_points}; delete some, or raise "
            "max_points."
        )


def _write(place: Place, points: list[models.PointStruct], mode: models.UpdateMode) -> None:
    if points:
        with place.calling() as client:
            require_done(client.upsert(place.name, points, wait=True, ordering=STRONG, update_mode=mode))
