"""The steps that the default collection and the named ones share: write points, find points."""

import uuid
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.context import embed, require_at_most
from service.api.schemas import NewPoint, SearchRequest
from service.engine.space import Space
from service.errors import EmptyInput, InvalidInput
from service.record import Record
from service.search.collection import Collection
from service.search.points import CollectionInfo, Hit, Point
from service.services import Services
from service.settings import Settings


async def write_points(
    services: Services, record: Record, collection: Collection, points: Sequence[NewPoint]
) -> dict[str, Any]:
    """Embed what came as text, write all, and answer after the write is on disk."""
    if not points:
        raise EmptyInput("No points were sent; send at least one.")
    require_at_most(len(points), services.settings.max_points_per_request, "points")
    _require_small(points, services.settings)
    collection.require_model()
    info = await services.readers.call(collection.info)
    vectors = await _vectors(services, record, points, _space(info))
    ready = [
        Point(
            id=str(uuid.uuid4()) if point.id is None else point.id,
            vector=vector,
            text=point.text,
            metadata=point.metadata,
        )
        for point, vector in zip(points, vectors, strict=True)
    ]
    with record.stage("store"):
        written = await services.writer.call(collection.upsert, ready)
    return {
        "ids": written.ids,
        "count": len(written.ids),
        "inserted": written.inserted,
        "replaced": written.replaced,
    }


async def find_points(
    services: Services, record: Record, collection: Collection, body: SearchRequest
) -> dict[str, Any]:
    """The nearest points of each query, best first."""
    _require_affordable(body, services.settings)
    collection.require_model()
    info = await services.readers.call(collection.info)
    if body.vector is not None:
        queries = np.array([body.vector], dtype=np.float32)
    else:
        embedded = await embed(services, record, body.query or [], space=_space(info), truncate=body.truncate)
        queries = embedded.vectors  # (queries, width)
    with record.stage("search"):
        found = await services.readers.call(
            collection.search, queries, limit=body.limit, score_threshold=body.score_threshold
        )
    return {
        "results": [[_hit(hit, body.with_metadata) for hit in hits] for hits in found],
        "model_fingerprint": services.model.fingerprint,
        "took_ms": round(record.elapsed() * 1000, 2),
    }


def _require_small(points: Sequence[NewPoint], settings: Settings) -> None:
    """Every hit brings its text and metadata along, so what a point holds bounds what a search costs."""
    for position, point in enumerate(points):
        if point.text is not None and len(point.text) > settings.max_chars:
            raise InvalidInput(
                f"points[{position}]: the text has {len(point.text)} characters; the limit is {settings.max_chars}. "
                "Split it."
            )
        size = len(orjson.dumps(point.metadata))
        if size > settings.max_metadata_bytes:
            raise InvalidInput(
                f"points[{position}]: the metadata has {size} bytes as JSON; the limit is "
                f"{settings.max_metadata_bytes}. Keep what is large elsewhere, and its key here."
            )


def _require_affordable(body: SearchRequest, settings: Settings) -> None:
    """Known before the search: how many hits it may answer with."""
    if body.limit > settings.max_limit:
        raise InvalidInput(f"`limit` is {body.limit}; the limit is {settings.max_limit}.")
    queries = 1 if body.query is None else len(body.query)
    require_at_most(queries, settings.max_items, "queries")
    if queries * body.limit > settings.max_hits:
        raise InvalidInput(
            f"{queries} queries x `limit` {body.limit} may give {queries * body.limit} hits; the limit is "
            f"{settings.max_hits} per request. Ask with fewer queries or a lower `limit`."
        )


async def _vectors(
    services: Services, record: Record, points: Sequence[NewPoint], space: Space
) -> list[NDArray[np.float32]]:
    """The vector of each point: its own, or that of its text."""
    texts = [point.text for point in points if point.vector is None and point.text is not None]
    if not texts:
        return [_as_array(point) for point in points]
    embedded = await embed(services, record, texts, space=space, truncate=True)
    made = iter(embedded.vectors)
    return [next(made) if point.vector is None else _as_array(point) for point in points]


def _as_array(point: NewPoint) -> NDArray[np.float32]:
    return np.array(point.vector, dtype=np.float32)


def _space(info: CollectionInfo) -> Space:
    """The store keeps any name of a space; those it can hold are the engine's."""
    return cast(Space, info.space)


def _hit(hit: Hit, with_metadata: bool) -> dict[str, Any]:
    answer = {"id": hit.id, "score": hit.score, "text": hit.text}
    return {**answer, "metadata": hit.metadata} if with_metadata else answer
