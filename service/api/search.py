"""`/index` and `/search`: the shortest way to a search, in the collection `default`."""

from fastapi import APIRouter, Response

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Current, Running
from service.api.library import find_points, write_points
from service.api.schemas import IndexRequest, SearchAnswer, SearchRequest, UpsertAnswer
from service.errors import NotFound
from service.search.collection import Collection
from service.services import Services

DEFAULT_COLLECTION = "default"

router = APIRouter(route_class=JsonRoute, tags=["search"])


@router.post("/index", response_model=UpsertAnswer)
async def index(body: IndexRequest, services: Running, record: Current) -> Response:
    """Write texts or points; the answer comes after they are on disk."""
    collection = await _default(services)
    return json_response(await write_points(services, record, collection, body.as_points()))


@router.post("/search", response_model=SearchAnswer)
async def search(body: SearchRequest, services: Running, record: Current) -> Response:
    """The points nearest to each query."""
    collection = await _default(services)
    return json_response(await find_points(services, record, collection, body))


async def _default(services: Services) -> Collection:
    """The default collection, made at its first use."""
    try:
        return await services.readers.call(services.collections.get, DEFAULT_COLLECTION)
    except NotFound:
        pass
    return await services.writer.call(
        services.collections.get_or_create, DEFAULT_COLLECTION, space="sentence", metric="cosine"
    )
