"""Read all points of a collection into a file."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from models.files import replaced_file
from service.commands.client import Client
from service.commands.describe import Service
from service.commands.errors import CommandError
from service.commands.pages import count_of, pages
from service.commands.progress import bar
from service.commands.sinks import Sink, csv_rows, jsonl, parquet

ExportFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]

STDOUT = Path("-")
_FORMATS: dict[str, ExportFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Export:
    """What goes where."""

    collection: str
    output: Path
    format: ExportFormat
    filter: dict[str, Any] | None
    with_vector: bool


def format_of_output(output: Path) -> ExportFormat:
    """The format that the file's name tells; raises CommandError."""
    found = _FORMATS.get(output.suffix.lower())
    if found is None:
        raise CommandError(
            f"{output}: its name does not tell its format. Known are {', '.join(_FORMATS)}; or give --format."
        )
    return found


def export_points(export: Export, url: str) -> int:
    """Write the file, which appears whole or not at all; returns how many points are in it.

    Raises CommandError.
    """
    with closing(Client(url)) as client, ExitStack() as opened:
        service = Service.of(client)
        total = count_of(client, export.collection, export.filter)
        integers = export.format == "parquet" and _all_integers(client, service, export)
        file = opened.enter_context(_written(export.output))
        sink = opened.enter_context(_sink(export, file, integers))
        update = opened.enter_context(bar("exporting", total))
        done = 0
        found = pages(
            client, export.collection, limit=service.page, filter=export.filter, with_vector=export.with_vector
        )
        for page in found:
            sink(page.points)
            done += len(page.points)
            update(done, done)
    return done


def _all_integers(client: Client, service: Service, export: Export) -> bool:
    found = pages(client, export.collection, limit=service.page, filter=export.filter, with_payload=False)
    return all(isinstance(point["id"], int) for page in found for point in page.points)


def _sink(export: Export, file: BinaryIO, integers: bool) -> AbstractContextManager[Sink]:
    if export.format == "parquet":
        return parquet(file, with_vector=export.with_vector, integers=integers)
    return (jsonl if export.format == "jsonl" else csv_rows)(file, with_vector=export.with_vector)


@contextmanager
def _written(output: Path) -> Iterator[BinaryIO]:
    if output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replaced_file(output) as file:
        yield file
