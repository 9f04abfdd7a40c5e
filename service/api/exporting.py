"""Points as the lines of a file that an import reads again."""

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson

from service.api.answers import json_line
from service.api.body import parse_json
from service.api.patience import patiently
from service.api.schemas.bulk import ExportParameters
from service.api.selecting import filtered
from service.errors import InvalidInput
from service.search.backend import Collection
from service.search.points import Page, Selection, StoredPoint
from service.services import Services

PAGE = 256  # points read and written together
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


def selection_of_export(asked: ExportParameters) -> Selection | None:
    """Raises InvalidInput."""
    if asked.filter is None:
        return None
    value = parse_json(asked.filter.encode(), "`filter`")
    if not isinstance(value, dict):
        raise InvalidInput("`filter` must be an object in JSON.")
    return filtered(value)


async def exported(
    services: Services, name: str, asked: ExportParameters, selection: Selection | None
) -> AsyncGenerator[bytes]:
    """The file, a page of points at a time."""
    collection = await services.readers.call(services.collections.get, name)
    write = _jsonl if asked.format == "jsonl" else _csv
    if asked.format == "csv":
        yield _csv_lines([_columns(asked.with_vector)])
    cursor: str | None = None
    while True:
        page = await _page(services, collection, cursor, selection)
        if page.points:
            yield write(page.points, asked.with_vector)
        if (cursor := page.next_cursor) is None:
            return


async def _page(services: Services, collection: Collection, cursor: str | None, selection: Selection | None) -> Page:
    return await patiently(
        lambda: services.readers.call(collection.scroll, limit=PAGE, cursor=cursor, selection=selection)
    )


def _jsonl(points: Sequence[StoredPoint], with_vector: bool) -> bytes:
    return b"".join(json_line(_fields(point, with_vector)) for point in points)


def _fields(point: StoredPoint, with_vector: bool) -> dict[str, Any]:
    fields = {"id": point.id, "text": point.text, "metadata": point.metadata or {}}
    return {**fields, "vector": point.vector} if with_vector else fields


def _columns(with_vector: bool) -> list[str]:
    return ["id", "text", "metadata", *(["vector"] if with_vector else [])]


def _csv(points: Sequence[StoredPoint], with_vector: bool) -> bytes:
    return _csv_lines([_row(point, with_vector) for point in points])


def _row(point: StoredPoint, with_vector: bool) -> list[str]:
    vector = [json_line(point.vector).decode().rstrip()] if with_vector else []
    return [str(point.id), point.text or "", orjson.dumps(point.metadata or {}).decode(), *vector]


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue().encode()
