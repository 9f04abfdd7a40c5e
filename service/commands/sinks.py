"""Write points to a file, in the forms that `mcse index` reads again."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, BinaryIO, Protocol

import orjson

from service.commands.errors import CommandError

Points = Sequence[dict[str, Any]]


class Sink(Protocol):
    """Takes points."""

    def __call__(self, points: Points) -> None: ...


@contextmanager
def jsonl(file: BinaryIO, *, with_vector: bool) -> Iterator[Sink]:
    """A point a line: `id`, `text`, `metadata`, and `vector` where it is wanted. Nothing is lost."""
    fields = _fields(with_vector)

    def write(points: Points) -> None:
        lines = [
            orjson.dumps({name: point[name] for name in fields}, option=orjson.OPT_APPEND_NEWLINE) for point in points
        ]
        file.write(b"".join(lines))

    yield write


@contextmanager
def csv_rows(file: BinaryIO, *, with_vector: bool) -> Iterator[Sink]:
    """A row a point, metadata and vector as JSON. The integer 1 and the string "1" look the same as ids."""
    fields = _fields(with_vector)
    text = TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)

    def write(points: Points) -> None:
        writer.writerows([_cell(point[name]) for name in fields] for point in points)

    try:
        yield write
    finally:
        text.detach()  # it would close the file


@contextmanager
def parquet(file: BinaryIO, *, with_vector: bool, integers: bool) -> Iterator[Sink]:
    """Metadata is a string of JSON, a vector a list of float32. `integers` says that all ids are such; else they are
    strings."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ModuleNotFoundError as error:
        raise CommandError(
            f"Parquet needs {error.name}, which is not installed. Install it: pip install '.[files]'"
        ) from error

    columns = {"id": pa.int64() if integers else pa.string(), "text": pa.string(), "metadata": pa.string()}
    if with_vector:
        columns["vector"] = pa.list_(pa.float32())
    schema = pa.schema(list(columns.items()))

    with ParquetWriter(file, schema) as writer:

        def write(points: Points) -> None:
            table = {name: [_value(name, point[name], integers) for point in points] for name in columns}
            writer.write_table(pa.table(table, schema=schema))

        yield write


def _fields(with_vector: bool) -> list[str]:
    return ["id", "text", "metadata", *(["vector"] if with_vector else [])]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)


def _value(name: str, value: Any, integers: bool) -> Any:
    if name == "metadata":
        return orjson.dumps(value).decode() if value else None
    return str(value) if name == "id" and not integers else value
