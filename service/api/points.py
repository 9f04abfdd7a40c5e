"""`/collections/{name}/points`: write, read, select, change and delete the points of a collection."""

from typing import Any

from fastapi import APIRouter, Response

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Current, Id, Name, Running
from service.api.dialects.described import EMBEDDING, errors
from service.api.schemas.base import LARGEST_ID, ErrorAnswer
from service.api.schemas.points import (
    CountAnswer,
    CountRequest,
    DeletedAnswer,
    DeleteMetadataRequest,
    DeletePointsRequest,
    GetPointsRequest,
    PageAnswer,
    PointAnswer,
    PointsAnswer,
    ScrollRequest,
    SetMetadataRequest,
    UpdatedAnswer,
    UpsertAnswer,
    UpsertRequest,
)
from service.api.selecting import filtered, require_ids, selection_of
from service.api.shapes import point_shape
from service.api.writing import require_small, write_points
from service.errors import EmptyInput, InvalidInput, NotFound
from service.search.points import PointId

router = APIRouter(route_class=JsonRoute, tags=["points"], responses=errors(ErrorAnswer, *EMBEDDING, 404, 409, 507))


@router.put("/collections/{name}/points", response_model=UpsertAnswer)
async def upsert_points(name: Name, body: UpsertRequest, services: Running, record: Current) -> Response:
    """Write points: all of them or none, on disk and found by searches when the answer comes."""
    return json_response(await write_points(services, record, name, body.points, body.on_conflict))


@router.post("/collections/{name}/points", response_model=PointsAnswer)
async def get_points(name: Name, body: GetPointsRequest, services: Running) -> Response:
    """Several points by id, in the order of the ids."""
    require_ids(body.ids, services.settings)
    found = await services.readers.call(lambda: services.collections.get(name).get(body.ids))
    return json_response({"points": [point_shape(point, body) for point in found]})


@router.get("/collections/{name}/points/{point_id:path}", response_model=PointAnswer)  # an id may hold slashes
async def get_point(name: Name, point_id: Id, services: Running) -> Response:
    """One point. A path has no types: `7` is the string "7" where that exists, else the integer 7."""
    candidates: list[PointId] = [point_id]
    if point_id.isascii() and point_id.isdecimal() and int(point_id) <= LARGEST_ID:
        candidates.append(int(point_id))
    found = await services.readers.call(lambda: services.collections.get(name).get(candidates))
    if not found:
        raise NotFound("There is no point with this id.")
    point = found[0]
    fields: dict[str, Any] = {"id": point.id, "text": point.text, "metadata": point.metadata or {}}
    return json_response({**fields, "vector": point.vector})


@router.post("/collections/{name}/points/delete", response_model=DeletedAnswer)
async def delete_points(name: Name, body: DeletePointsRequest, services: Running, record: Current) -> Response:
    """Delete points by their ids or by a filter."""
    selection = selection_of(body, services.settings)
    with record.stage("store"):
        deleted = await services.writer.call(lambda: services.collections.get(name).delete(selection))
    record.change(deleted)
    return json_response({"deleted": deleted})


@router.post("/collections/{name}/points/scroll", response_model=PageAnswer)
async def scroll_points(name: Name, body: ScrollRequest, services: Running) -> Response:
    """The next points in the order of writing; what is written meanwhile comes at the end."""
    if body.limit > services.settings.max_hits:
        raise InvalidInput(f"`limit` is {body.limit}; the limit is {services.settings.max_hits}.")
    selection = filtered(body.filter)
    page = await services.readers.call(
        lambda: services.collections.get(name).scroll(limit=body.limit, cursor=body.cursor, selection=selection)
    )
    points = [point_shape(point, body) for point in page.points]
    return json_response({"points": points, "next_cursor": page.next_cursor})


@router.post("/collections/{name}/points/metadata", response_model=UpdatedAnswer)
async def set_metadata(name: Name, body: SetMetadataRequest, services: Running, record: Current) -> Response:
    """Set fields in the metadata of points; their other fields stay."""
    if not body.metadata:
        raise EmptyInput("No fields of metadata were sent; send at least one.")
    require_small(None, body.metadata, services.settings, "The ")
    selection = selection_of(body, services.settings)
    with record.stage("store"):
        updated = await services.writer.call(
            lambda: services.collections.get(name).set_metadata(selection, body.metadata)
        )
    record.change(updated)
    return json_response({"updated": updated})


@router.post("/collections/{name}/points/metadata/delete", response_model=UpdatedAnswer)
async def delete_metadata(name: Name, body: DeleteMetadataRequest, services: Running, record: Current) -> Response:
    """Delete top-level fields from the metadata of points; a field that is not there is no error."""
    if not body.keys:
        raise EmptyInput("No keys were sent; send at least one.")
    selection = selection_of(body, services.settings)
    with record.stage("store"):
        updated = await services.writer.call(
            lambda: services.collections.get(name).delete_metadata(selection, body.keys)
        )
    record.change(updated)
    return json_response({"updated": updated})


@router.post("/collections/{name}/count", response_model=CountAnswer)
async def count_points(name: Name, services: Running, body: CountRequest | None = None) -> Response:
    """How many points a collection has, or how many of them a filter lets through."""
    selection = filtered(body.filter if body else None)
    return json_response(
        {"count": await services.readers.call(lambda: services.collections.get(name).count(selection))}
    )
