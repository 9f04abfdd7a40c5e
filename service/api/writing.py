"""Write points: embed what came as text, then store all."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import orjson

from service.api.context import embed, require_at_most
from service.api.schemas.points import NewPoint
from service.engine.space import Space
from service.errors import EmptyInput, InvalidInput
from service.record import Record
from service.search.backend import Backend, Collection
from service.search.points import OnConflict, Point, PointId, Vector
from service.services import Services
from service.settings import Settings


async def write_points(
    services: Services, record: Record, name: str, points: Sequence[NewPoint], on_conflict: OnConflict
) -> dict[str, Any]:
    """The answer comes after the write is on disk. Raises EmptyInput, InvalidInput, Conflict and StorageFull."""
    if not points:
        raise EmptyInput("No points were sent; send at least one.")
    require_at_most(len(points), services.settings.max_points_per_request, "points")
    for position, point in enumerate(points):
        require_small(point.text, point.metadata, services.settings, f"points[{position}]: the ")
    ready = [
        Draft(str(uuid.uuid4()) if point.id is None else point.id, point.text, _array(point.vector), point.metadata)
        for point in points
    ]
    written = await write_drafts(services, record, name, ready, on_conflict)
    return {
        "ids": [draft.id for draft in ready],
        "count": written.inserted + written.replaced,
        "inserted": written.inserted,
        "replaced": written.replaced,
        "skipped": written.skipped,
        "truncated": len(written.truncated),
        "truncated_ids": written.truncated,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A point to write that may still lack its vector."""

    id: PointId
    text: str | None
    vector: Vector | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did; `truncated` are the ids of points whose text the model did not read to its end."""

    inserted: int
    replaced: int
    skipped: int
    truncated: list[PointId]


async def write_drafts(
    services: Services, record: Record, name: str, drafts: Sequence[Draft], on_conflict: OnConflict
) -> Written:
    """One write, durable as a whole when this returns; a text that `skip` leaves out is not embedded."""
    collection, space = await services.readers.call(_open, services.collections, name)
    new = drafts
    if on_conflict == "skip" and any(draft.vector is None for draft in drafts):
        known = await services.readers.call(_known, collection, drafts)
        new = [draft for draft in drafts if draft.id not in known]
    points, truncated = await _embedded(services, record, new, space)
    with record.stage("store"):
        done = await services.writer.call(collection.upsert, points, on_conflict)
    record.change(done.inserted + done.replaced)
    left_out = len(drafts) - len(new)
    return Written(done.inserted, done.replaced, done.skipped + left_out, truncated)


def require_small(text: str | None, metadata: dict[str, Any] | None, settings: Settings, what: str) -> None:
    """Every hit brings its text and metadata along, so what a point holds bounds what a search costs."""
    if text is not None and len(text) > settings.max_chars:
        raise InvalidInput(f"{what}text has {len(text)} characters; the limit is {settings.max_chars}. Split it.")
    size = len(orjson.dumps(metadata)) if metadata else 0
    if size > settings.max_metadata_bytes:
        raise InvalidInput(
            f"{what}metadata has {size} bytes as JSON; the limit is {settings.max_metadata_bytes}. "
            "Keep what is large elsewhere, and its key here."
        )


def _open(backend: Backend, name: str) -> tuple[Collection, Space]:
    """The collection, which must be of the running model, and the space of its vectors."""
    collection = backend.get(name)
    collection.require_model()
    return collection, cast(Space, collection.info().space)  # a name of the engine's, or it could not be made


def _known(collection: Collection, drafts: Sequence[Draft]) -> set[PointId]:
    return {point.id for point in collection.get([draft.id for draft in drafts])}


async def _embedded(
    services: Services, record: Record, drafts: Sequence[Draft], space: Space
) -> tuple[list[Point], list[PointId]]:
    """The points with the vector of each, its own or that of its text; and the ids of those whose text was cut."""
    lacking = [draft for draft in drafts if draft.vector is None]
    made: dict[int, Vector] = {}
    truncated: list[PointId] = []
    if lacking:
        embedded = await embed(services, record, [draft.text or "" for draft in lacking], space=space, truncate=True)
        made = {id(draft): vector for draft, vector in zip(lacking, embedded.vectors, strict=True)}
        truncated = [draft.id for draft, dropped in zip(lacking, embedded.dropped, strict=True) if dropped]
    points = [
        Point(draft.id, made[id(draft)] if draft.vector is None else draft.vector, draft.text, draft.metadata)
        for draft in drafts
    ]
    return points, truncated


def _array(vector: list[float] | None) -> Vector | None:
    return None if vector is None else np.array(vector, dtype=np.float32)
