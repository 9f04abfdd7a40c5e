"""Search: in a collection by name, in the collection `default`, and for duplicates."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Response

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Current, Name, Running
from service.api.dialects.described import EMBEDDING, errors
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.points import IndexRequest, UpsertAnswer
from service.api.schemas.search import (
    DuplicatesAnswer,
    DuplicatesRequest,
    SearchAnswer,
    SearchBatchAnswer,
    SearchBatchRequest,
    SearchRequest,
)
from service.api.searching import most_queries, search_batch, search_points
from service.api.selecting import filtered
from service.api.writing import write_points
from service.errors import Conflict, InvalidInput, NotFound
from service.search.backend import Backend
from service.search.duplicates import find_duplicates
from service.services import Services

DEFAULT_COLLECTION = "default"
PAGE = 64  # points looked at for a page of duplicates, where the request does not say

router = APIRouter(route_class=JsonRoute, tags=["search"], responses=errors(ErrorAnswer, *EMBEDDING, 404, 409, 507))


@router.post("/index", response_model=UpsertAnswer)
async def index(body: IndexRequest, services: Running, record: Current) -> Response:
    """Write texts or points to the collection `default`; the answer comes after they are on disk."""
    points = body.as_points()

    async def write() -> dict[str, Any]:
        return await write_points(services, record, DEFAULT_COLLECTION, points, body.on_conflict)

    return json_response(await _in_default(services, write))


@router.post("/search", response_model=SearchAnswer)
async def search(body: SearchRequest, services: Running, record: Current) -> Response:
    """The points of the collection `default` that are nearest to each query."""

    async def find() -> dict[str, Any]:
        return await search_points(services, record, DEFAULT_COLLECTION, body)

    return json_response(await _in_default(services, find))


@router.post("/collections/{name}/search", response_model=SearchAnswer)
async def search_collection(name: Name, body: SearchRequest, services: Running, record: Current) -> Response:
    """The points nearest to each query: texts, vectors, or other points of the collection."""
    return json_response(await search_points(services, record, name, body))


@router.post("/collections/{name}/search/batch", response_model=SearchBatchAnswer)
async def search_several_times(name: Name, body: SearchBatchRequest, services: Running, record: Current) -> Response:
    """Several searches with rules of their own; the limits are those of one search, over all of them."""
    return json_response(await search_batch(services, record, name, body.searches))


@router.post("/collections/{name}/duplicates", response_model=DuplicatesAnswer)
async def duplicates(name: Name, body: DuplicatesRequest, services: Running, record: Current) -> Response:
    """Pairs of points that are close to each other, a page of the collection at a time; each pair is told once."""
    settings = services.settings
    most = most_queries(settings)
    limit = min(PAGE, most) if body.limit is None else body.limit
    if limit > most:
        raise InvalidInput(f"`limit` is {limit}; the limit is {most}, because each point is a query.")
    neighbours = max(1, min(settings.max_limit, settings.max_hits // limit))
    selection = filtered(body.filter)
    with record.stage("search"):
        page = await services.readers.call(
            lambda: find_duplicates(
                services.collections.get(name),
                threshold=body.threshold,
                limit=limit,
                cursor=body.cursor,
                selection=selection,
                neighbours=neighbours,
            )
        )
    return json_response({"groups": page.groups, "next_cursor": page.next_cursor})


async def _in_default(services: Services, job: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """The default collection is made at its first use, and then it is always there."""
    try:
        return await job()
    except NotFound:
        await services.writer.call(_make_default, services.collections)
    return await job()


def _make_default(backend: Backend) -> None:
    with suppress(Conflict):  # it is there: another request was faster, or something in it was not found
        backend.create(DEFAULT_COLLECTION, space="sentence")
