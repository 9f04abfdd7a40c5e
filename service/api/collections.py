"""`/collections` and `/aliases`: make, describe and drop collections, and switch the names that stand for them."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Alias, Current, Name, Running
from service.api.dialects.described import errors
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.collections import (
    AliasesAnswer,
    CollectionAnswer,
    CollectionsAnswer,
    CreateCollectionRequest,
    DescribeParameters,
    DescriptionAnswer,
    SetAliasRequest,
    SwitchedAliasAnswer,
)
from service.api.schemas.points import DeletedAnswer
from service.api.shapes import collection_shape
from service.errors import Conflict
from service.search.backend import Backend, Collection
from service.watch import deadline_of

router = APIRouter(
    route_class=JsonRoute,
    tags=["collections"],
    responses=errors(ErrorAnswer, 400, 404, 409, 413, 415, 422, 429, 503, 504, 507),
)


@router.get("/collections", response_model=CollectionsAnswer)
async def list_collections(services: Running) -> Response:
    """All collections, oldest first."""
    infos = await services.readers.call(services.collections.list)
    return json_response({"collections": [collection_shape(info) for info in infos]})


@router.put("/collections/{name}", status_code=201, response_model=CollectionAnswer)
async def create_collection(name: Name, body: CreateCollectionRequest, services: Running) -> Response:
    """Make an empty collection; 409 when the name is taken."""
    collection = await services.writer.call(
        services.collections.create,
        name,
        space=body.space,
        metric=body.metric,
        index=body.index,
        storage=body.storage,
        description=body.description,
    )
    return json_response(collection_shape(await services.readers.call(collection.info)), status=201)


@router.get("/collections/{name}", response_model=DescriptionAnswer)
async def describe_collection(
    name: Name, asked: Annotated[DescribeParameters, Query()], services: Running, request: Request
) -> Response:
    """What a collection is, how many points it has, and how its index does."""
    workers = services.readers
    if asked.measure:
        workers = services.jobs
        deadline_of(request.scope).lift()
    return json_response(await workers.call(_describe, services.collections, name, asked.measure))


@router.delete("/collections/{name}", response_model=DeletedAnswer)
async def drop_collection(name: Name, services: Running, record: Current) -> Response:
    """Drop a collection with all its points, its snapshots and the aliases for it; an alias is refused here."""
    deleted = await services.writer.call(_drop, services.collections, name)
    record.change(deleted)
    return json_response({"deleted": deleted})


@router.get("/aliases", response_model=AliasesAnswer)
async def list_aliases(services: Running) -> Response:
    """All names that stand for a collection."""
    aliases = await services.readers.call(services.collections.aliases)
    told = [{"alias": alias, "collection": name} for alias, name in sorted(aliases.items())]
    return json_response({"aliases": told})


@router.put("/aliases/{name}", response_model=SwitchedAliasAnswer)
async def set_alias(name: Alias, body: SetAliasRequest, services: Running) -> Response:
    """Let an alias stand for a collection from now on, in one step; a request that runs ends where it began."""
    before = await services.writer.call(services.collections.set_alias, name, body.collection)
    return json_response({"alias": name, "collection": body.collection, "before": before})


@router.delete("/aliases/{name}", response_model=DeletedAnswer)
async def delete_alias(name: Alias, services: Running) -> Response:
    """Delete an alias; the collection stays."""
    await services.writer.call(services.collections.delete_alias, name)
    return json_response({"deleted": 1})


def _describe(backend: Backend, name: str, measure: bool) -> dict[str, Any]:
    collection = backend.get(name)
    info = collection.info()
    aliases = sorted(alias for alias, target in backend.aliases().items() if target == info.name)
    return {**collection_shape(info), "aliases": aliases, "status": _status(collection, measure)}


def _status(collection: Collection, measure: bool) -> dict[str, Any]:
    report = asdict(collection.report(measure=measure))
    snapshots = collection.snapshots()
    return {"index": report.pop("kind"), **report, "last_snapshot": snapshots[-1] if snapshots else None}


def _drop(backend: Backend, name: str) -> int:
    own_name = backend.get(name).info().name
    if own_name != name:
        raise Conflict(
            f'"{name}" is an alias for the collection "{own_name}": name the collection to drop it, or delete the '
            f"alias with DELETE /aliases/{name}."
        )
    return backend.drop(name)
