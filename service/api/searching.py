"""Find points: from the body of a search to its hits."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from service.api.context import embed, require_at_most
from service.api.schemas.search import SearchRequest
from service.api.selecting import filter_of
from service.api.shapes import group_shape, hit_shape
from service.engine.space import Space
from service.errors import EmptyInput, InvalidInput, NotFound, ServiceError
from service.record import Record
from service.search.backend import Backend, Collection
from service.search.points import PointId, Search, StoredPoint
from service.services import Services
from service.settings import Settings

MOST_QUERIES = 128  # in one request: each may look at every point
MOST_OFFSET = 10_000  # hits passed over in one request: each is found, sorted, and thrown away


async def search_points(services: Services, record: Record, name: str, body: SearchRequest) -> dict[str, Any]:
    """The nearest points of each query, best first. Raises NotFound, InvalidInput, Conflict."""
    require_affordable([body], services.settings)
    return {**await _find(services, record, name, body), **_told(services, record)}


async def search_batch(
    services: Services, record: Record, name: str, bodies: Sequence[SearchRequest]
) -> dict[str, Any]:
    """The answer to each search; one that fails fails all."""
    if not bodies:
        raise EmptyInput("No searches were sent; send at least one.")
    require_affordable(bodies, services.settings)
    jobs = [_named(f"searches[{n}]", _find(services, record, name, body)) for n, body in enumerate(bodies)]
    return {"answers": await _together(jobs), **_told(services, record)}


def most_queries(settings: Settings) -> int:
    """Of one request."""
    return min(settings.max_items, MOST_QUERIES)


def require_affordable(bodies: Sequence[SearchRequest], settings: Settings) -> None:
    """Known before the search: how much it may ask of the index, and how many hits it may answer with."""
    for body in bodies:
        if body.limit > settings.max_limit:
            raise InvalidInput(f"`limit` is {body.limit}; the limit is {settings.max_limit}.")
        if not body.queries:
            raise EmptyInput("There is nothing to look for; send at least one query.")
    require_at_most(sum(body.queries for body in bodies), most_queries(settings), "queries")
    hits = sum(body.hits for body in bodies)
    if hits > settings.max_hits:
        raise InvalidInput(
            f"{_sizes(bodies)} may give {hits} hits; the limit is {settings.max_hits} per request. "
            "Ask with fewer queries or a lower `limit`."
        )
    passed = sum(body.queries * body.offset for body in bodies)
    if passed > MOST_OFFSET:
        raise InvalidInput(
            f"The queries x `offset` pass over {passed} hits; the limit is {MOST_OFFSET} per request. "
            "To read many points, scroll."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Queries:
    """What is looked for, in the form that the body has it in."""

    vectors: NDArray[np.float32] | None = None
    words: tuple[str, ...] | None = None
    ids: tuple[PointId, ...] = ()
    truncated: int = 0


async def _find(services: Services, record: Record, name: str, body: SearchRequest) -> dict[str, Any]:
    common = Search(
        mode=body.mode,
        limit=body.limit,
        offset=body.offset,
        score_threshold=body.score_threshold,
        filter=filter_of(body.filter),
        exact=body.exact,
        breadth=body.breadth,
        with_text=body.with_text,
        with_metadata=body.with_metadata,
        with_vector=body.with_vector,
    )
    queries = await _queries(services, record, name, body)
    with record.stage("search"):
        found = await services.readers.call(_search, services.collections, name, body, common, queries)
    return {**found, "truncated": queries.truncated}


async def _queries(services: Services, record: Record, name: str, body: SearchRequest) -> _Queries:
    if body.query is not None:
        return await _text_queries(services, record, name, body, body.query)
    if body.vector is not None or body.vectors is not None:
        return _Queries(vectors=_matrix([body.vector] if body.vector is not None else body.vectors or []))
    return _Queries(ids=tuple([body.id] if body.id is not None else body.ids or []))


async def _text_queries(
    services: Services, record: Record, name: str, body: SearchRequest, texts: list[str]
) -> _Queries:
    words = None if body.mode == "dense" else tuple(texts)
    if body.mode == "lexical":
        _require_short(texts, services.settings)
        return _Queries(words=words)
    space = await services.readers.call(_space, services.collections, name)
    embedded = await embed(services, record, texts, space=space, truncate=body.truncate)
    return _Queries(embedded.vectors, words, truncated=sum(1 for dropped in embedded.dropped if dropped))


def _search(
    backend: Backend, name: str, body: SearchRequest, common: Search, queries: _Queries
) -> dict[str, list[list[dict[str, Any]]]]:
    """Runs on a reader thread."""
    collection = backend.get(name)
    if queries.ids:
        searches = [_like(point, common) for point in _points(collection, queries.ids)]
    else:
        searches = [replace(common, queries=queries.vectors, words=queries.words)]
    hybrid = body.mode == "hybrid"
    if body.group_by is None:
        hits = [hits for search in searches for hits in collection.search(search)]
        return {"results": [[hit_shape(hit, body, hybrid=hybrid) for hit in each] for each in hits]}
    by, size = body.group_by, body.group_size
    groups = [groups for search in searches for groups in collection.search_groups(search, by=by, size=size)]
    return {"groups": [[group_shape(group, body, hybrid=hybrid) for group in each] for each in groups]}


def _like(point: StoredPoint, common: Search) -> Search:
    return replace(common, queries=point.vector[None], exclude=frozenset([point.id]))


def _points(collection: Collection, ids: Sequence[PointId]) -> list[StoredPoint]:
    found = {point.id: point for point in collection.get(ids)}
    for position, point_id in enumerate(ids):
        if point_id not in found:
            raise NotFound(f"There is no point with the id at position {position}; ask for points that are there.")
    return [found[point_id] for point_id in ids]


def _space(backend: Backend, name: str) -> Space:
    """The space that texts must be embedded in; raises Conflict for a collection of another model."""
    collection = backend.get(name)
    collection.require_model()
    return cast(Space, collection.info().space)  # a name of the engine's, or it could not be made


def _matrix(vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    widths = sorted({len(vector) for vector in vectors})
    if len(widths) > 1:
        raise InvalidInput(f"The vectors have {widths[0]} to {widths[-1]} numbers; all must have the dimension.")
    return np.array(vectors, dtype=np.float32)  # (queries, width)


def _require_short(texts: Sequence[str], settings: Settings) -> None:
    for position, text in enumerate(texts):
        if len(text) > settings.max_chars:
            raise InvalidInput(
                f"The text at position {position} has {len(text)} characters; the limit is {settings.max_chars}."
            )


def _sizes(bodies: Sequence[SearchRequest]) -> str:
    if len(bodies) > 1:
        return f"{len(bodies)} searches"
    body = bodies[0]
    groups = "" if body.group_by is None else f" x `group_size` {body.group_size}"
    return f"{body.queries} queries x `limit` {body.limit}{groups}"


def _told(services: Services, record: Record) -> dict[str, Any]:
    return {"model_fingerprint": services.model.fingerprint, "took_ms": round(record.elapsed() * 1000, 2)}


async def _named(what: str, job: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """The same job, whose failure says which one it was."""
    try:
        return await job
    except ServiceError as error:
        error.message = f"{what}: {error.message}"
        raise


async def _together(jobs: Sequence[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """All at one time; the first failure stops the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
