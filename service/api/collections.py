"""`/collections`: make, list and drop collections; write, read, delete, count and find their points."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Current, Running, require_at_most
from service.api.library import find_points, write_points
from service.api.schemas import (
    LARGEST_ID,
    MOST_ID_CHARS,
    CreateCollectionRequest,
    DeletePointsRequest,
    SearchAnswer,
    SearchRequest,
    UpsertAnswer,
    UpsertRequest,
)
from service.errors import EmptyInput, NotFound
from service.search.collection import Collection
from service.search.collections import NAME
from service.search.points import CollectionInfo, StoredPoint
from service.services import Services

router = APIRouter(route_class=JsonRoute, tags=["collections"])

Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]
Id = Annotated[str, Path(min_length=1, max_length=MOST_ID_CHARS)]


@router.get("/collections")
async def list_collections(services: Running) -> Response:
    """All collections."""
    infos = await services.readers.call(services.collections.list)
    return json_response({"collections": [_info(info) for info in infos]})


@router.put("/collections/{name}", status_code=201)
async def create_collection(name: Name, body: CreateCollectionRequest, services: Running) -> Response:
    """Make a collection; 409 when the name is taken."""
    collection = await services.writer.call(
        services.collections.create,
        name,
        space=body.space,
        metric=body.metric,
        description=body.description,
    )
    return json_response(_info(await services.readers.call(collection.info)), status=201)


@router.get("/collections/{name}")
async def describe_collection(name: Name, services: Running) -> Response:
    """What a collection is, and how many points it has."""
    collection = await _get(services, name)
    return json_response(_info(await services.readers.call(collection.info)))


@router.delete("/collections/{name}")
async def drop_collection(name: Name, services: Running) -> Response:
    """Drop a collection with all its points."""
    return json_response({"deleted": await services.writer.call(services.collections.drop, name)})


@router.put("/collections/{name}/points", response_model=UpsertAnswer)
async def upsert_points(name: Name, body: UpsertRequest, services: Running, record: Current) -> Response:
    """Write points; those whose id exists are replaced."""
    collection = await _get(services, name)
    return json_response(await write_points(services, record, collection, body.points))


@router.get("/collections/{name}/points/{point_id:path}")  # an id may hold slashes
async def get_point(name: Name, point_id: Id, services: Running) -> Response:
    """One point. A path has no types: `7` is the string "7" where that exists, else the integer 7."""
    collection = await _get(services, name)
    candidates: list[str | int] = [point_id]
    if point_id.isascii() and point_id.isdecimal() and int(point_id) <= LARGEST_ID:
        candidates.append(int(point_id))
    found = {point.id: point for point in await services.readers.call(collection.get, candidates)}
    for candidate in candidates:
        if candidate in found:
            return json_response(_point(found[candidate]))
    raise NotFound("There is no point with this id.")


@router.post("/collections/{name}/points/delete")
async def delete_points(name: Name, body: DeletePointsRequest, services: Running, record: Current) -> Response:
    """Delete points by id; unknown ids are ignored."""
    if not body.ids:
        raise EmptyInput("No ids were sent; send at least one.")
    require_at_most(len(body.ids), services.settings.max_points_per_request, "ids")
    collection = await _get(services, name)
    with record.stage("store"):
        return json_response({"deleted": await services.writer.call(collection.delete, body.ids)})


@router.post("/collections/{name}/search", response_model=SearchAnswer)
async def search_collection(name: Name, body: SearchRequest, services: Running, record: Current) -> Response:
    """The points nearest to each query text, or to one vector."""
    collection = await _get(services, name)
    return json_response(await find_points(services, record, collection, body))


@router.post("/collections/{name}/count")
async def count_points(name: Name, services: Running) -> Response:
    """How many points a collection has."""
    collection = await _get(services, name)
    return json_response({"count": await services.readers.call(collection.count)})


async def _get(services: Services, name: str) -> Collection:
    return await services.readers.call(services.collections.get, name)


def _info(info: CollectionInfo) -> dict[str, Any]:
    fields = asdict(info)
    fields["model_fingerprint"] = fields.pop("fingerprint")
    return fields


def _point(point: StoredPoint) -> dict[str, Any]:
    return {"id": point.id, "text": point.text, "metadata": point.metadata, "vector": point.vector}
