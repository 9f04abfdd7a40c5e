"""`/collections/{name}/snapshots`: make, list, download, delete, restore and upload files that hold a collection."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import FileResponse

from service.api.answers import json_response
from service.api.body import JsonRoute
from service.api.context import Name, Running, refuse_foreign_pages
from service.api.dialects.described import errors
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.collections import (
    CollectionAnswer,
    RestoreRequest,
    SnapshotAnswer,
    SnapshotsAnswer,
    UploadParameters,
)
from service.api.schemas.points import DeletedAnswer
from service.api.shapes import collection_shape
from service.api.uploads import received_file
from service.errors import Conflict, NotFound
from service.search.backend import Backend
from service.search.points import CollectionInfo, SnapshotInfo
from service.watch import deadline_of

router = APIRouter(
    route_class=JsonRoute, tags=["snapshots"], responses=errors(ErrorAnswer, 404, 409, 413, 415, 422, 429, 503, 507)
)

SnapshotName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")]  # never a path
BINARY = "application/octet-stream"
FILE = {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}


@router.post(
    "/collections/{name}/snapshots",
    status_code=201,
    response_model=SnapshotAnswer,
    dependencies=[Depends(refuse_foreign_pages)],
)
async def create_snapshot(name: Name, services: Running, request: Request) -> Response:
    """Write the collection, as it is at one moment, to a file; reads and writes go on."""
    deadline_of(request.scope).lift()
    made = await services.jobs.call(lambda: services.collections.get(name).create_snapshot())
    return json_response(made, status=201)


@router.get("/collections/{name}/snapshots", response_model=SnapshotsAnswer)
async def list_snapshots(name: Name, services: Running) -> Response:
    """The snapshots of a collection, oldest first."""
    found = await services.readers.call(lambda: services.collections.get(name).snapshots())
    return json_response({"snapshots": found})


@router.get(
    "/collections/{name}/snapshots/{snapshot}",
    response_class=FileResponse,
    responses={200: {"description": "The file, with its digest in `x-sha256`; a `range` is answered", **FILE}},
)
async def download_snapshot(name: Name, snapshot: SnapshotName, services: Running) -> Response:
    """The file; what has come of a download that broke off is completed with a `range`."""
    collection = await services.readers.call(services.collections.get, name)
    path = await services.readers.call(collection.snapshot_path, snapshot)
    info = _find(await services.readers.call(collection.snapshots), snapshot)
    headers = {"x-sha256": info.sha256, "etag": f'"{info.sha256}"'}
    return FileResponse(path, media_type=BINARY, filename=snapshot, headers=headers)


@router.delete("/collections/{name}/snapshots/{snapshot}", response_model=DeletedAnswer)
async def delete_snapshot(name: Name, snapshot: SnapshotName, services: Running) -> Response:
    """Delete a snapshot; downloads of it that run are completed."""
    await services.readers.call(lambda: services.collections.get(name).delete_snapshot(snapshot))
    return json_response({"deleted": 1})


@router.post(
    "/collections/{name}/snapshots/{snapshot}/restore",
    status_code=201,
    response_model=CollectionAnswer,
    dependencies=[Depends(refuse_foreign_pages)],
)
async def restore_snapshot(
    name: Name, snapshot: SnapshotName, services: Running, request: Request, body: RestoreRequest | None = None
) -> Response:
    """Make a collection from a snapshot, as a whole or not at all; 409 when the name is taken."""
    asked = body or RestoreRequest()
    deadline_of(request.scope).lift()
    made = await services.jobs.call(_restore, services.collections, name, snapshot, asked)
    return json_response(collection_shape(made), status=201)


@router.put(
    "/collections/{name}/snapshot",
    status_code=201,
    response_model=CollectionAnswer,
    openapi_extra={"requestBody": {"required": True, **FILE}},
)
async def upload_snapshot(
    name: Name, asked: Annotated[UploadParameters, Query()], services: Running, request: Request
) -> Response:
    """Make the collection `name` from a snapshot that is the body; `x-sha256` is compared where it is sent."""
    if not asked.replace:
        await services.readers.call(_require_free, services.collections, name)
    async with received_file(request, services) as file:
        deadline_of(request.scope).lift()
        collection = await services.jobs.call(services.collections.restore, name, file, replace=asked.replace)
        return json_response(collection_shape(await services.readers.call(collection.info)), status=201)


def _restore(backend: Backend, name: str, snapshot: str, asked: RestoreRequest) -> CollectionInfo:
    collection = backend.get(name)
    target = asked.target or collection.info().name
    return backend.restore(target, collection.snapshot_path(snapshot), replace=asked.replace).info()


def _require_free(backend: Backend, name: str) -> None:
    """Told before the file is sent, not after."""
    with suppress(NotFound):
        backend.get(name)
        raise Conflict(f'"{name}" exists already; send `?replace=true` to take its place, or another name.')


def _find(snapshots: list[SnapshotInfo], name: str) -> SnapshotInfo:
    for info in snapshots:
        if info.name == name:
            return info
    raise NotFound("There is no snapshot of this name.")
