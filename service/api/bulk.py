"""`/collections/{name}/import` and `/export`: a whole file in, a whole file out, in one request of any size."""

import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.answers import error_response, json_line, json_response
from service.api.body import JsonRoute
from service.api.context import Current, Name, Running
from service.api.dialects.described import EMBEDDING, errors
from service.api.exporting import MEDIA_TYPES, exported, selection_of_export
from service.api.importing import Import, read_options
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.bulk import ExportParameters, ImportAnswer, ImportParameters
from service.api.streams import StreamedAnswer, body_pieces
from service.errors import ServiceError
from service.importing.records import RecordReader
from service.search.backend import Backend
from service.watch import deadline_of

router = APIRouter(
    route_class=JsonRoute, tags=["import and export"], responses=errors(ErrorAnswer, *EMBEDDING, 404, 409, 507)
)

LINES = "application/x-ndjson"
PROGRESS_EVERY_S = 1.0
_TEXT = {"schema": {"type": "string"}}
_RECORD = '{"id": 1, "text": "A dog runs on the beach.", "kind": "animal"}\n'


@router.post(
    "/collections/{name}/import",
    response_model=ImportAnswer,
    openapi_extra={"requestBody": {"required": True, "content": {LINES: {"example": _RECORD}, "text/csv": {}}}},
)
async def import_points(
    name: Name, asked: Annotated[ImportParameters, Query()], services: Running, record: Current, request: Request
) -> Response:
    """Write the records of a file, which is the body. With `accept: application/x-ndjson` the answer is a line of
    progress each second and the result as the last line."""
    own_name = await services.readers.call(_own_name, services.collections, name)
    job = Import(services, record, deadline_of(request.scope), own_name, asked.on_conflict, asked.skip)
    reader = RecordReader(asked.format, read_options(asked), skip=asked.skip)
    steps = job.run(body_pieces(request), reader)
    if LINES in request.headers.get("accept", ""):
        return StreamedAnswer(_told(job, steps), media_type=LINES)
    try:
        async for _ in steps:
            pass
    except ServiceError as error:
        return error_response(error, **asdict(job.progress))
    return json_response(job.progress)


@router.get(
    "/collections/{name}/export",
    response_class=Response,
    responses={200: {"description": "The file", "content": {LINES: _TEXT, "text/csv": _TEXT}}},
)
async def export_points(
    name: Name, asked: Annotated[ExportParameters, Query()], services: Running, request: Request
) -> Response:
    """All points in the order of writing, or those that a filter lets through, as a file that an import reads again."""
    await request.body()  # there is none; from its end on the middleware looks out whether the client leaves
    pieces = exported(services, name, asked, selection_of_export(asked))
    file = f'attachment; filename="{name}.{asked.format}"'
    return StreamedAnswer(pieces, media_type=MEDIA_TYPES[asked.format], headers={"content-disposition": file})


async def _told(job: Import, steps: AsyncGenerator[None]) -> AsyncGenerator[bytes]:
    """The lines of the answer to an import. What fails after the first one is told in the last one."""
    told_at = time.monotonic()
    begun = False
    try:
        async for _ in steps:
            if time.monotonic() - told_at >= PROGRESS_EVERY_S:
                yield json_line(_without_reasons(job))
                told_at, begun = time.monotonic(), True
    except ServiceError as error:
        if not begun:
            raise
        yield json_line({"error": error.message, "error_type": error.error_type, **asdict(job.progress)})
    else:
        yield json_line({**asdict(job.progress), "done": True})


def _without_reasons(job: Import) -> dict[str, Any]:
    return {**asdict(job.progress), "rejected": []}


def _own_name(backend: Backend, name: str) -> str:
    """So that all of a file goes where its first record went, also when an alias is switched meanwhile.

    Raises before anything is read: NotFound, Conflict (another model).
    """
    collection = backend.get(name)
    collection.require_model()
    return collection.info().name
