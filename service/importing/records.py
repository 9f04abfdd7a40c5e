"""Read records out of a stream of bytes: JSONL, CSV, or a sentence a line. Knows no files and no network."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from service.errors import InvalidInput
from service.importing.fields import json_of, kind_of, parts_of, typed_cells
from service.importing.lines import Line, LineCutter
from service.importing.options import DEFAULT, Format, ReadOptions
from service.importing.rows import Row, RowJoiner, cells_of


class Record(NamedTuple):
    """A point to write, with a text, a vector or both."""

    line: int
    """Where it begins, from 1; the row of a format that has no lines."""
    id: str | int | None
    text: str | None
    vector: list[float] | None
    metadata: dict[str, Any] | None


class Rejection(NamedTuple):
    """A record that cannot be read; the reason never holds its content."""

    line: int
    reason: str


class RecordReader:
    """Give it pieces of any size, cut anywhere; it gives what is complete, in the order of the stream.

    Empty lines are passed over, and the first `skip` records or rejections too, quickly. Both methods raise
    InvalidInput where the header of a CSV is of no use.
    """

    def __init__(self, format: Format, options: ReadOptions = DEFAULT, *, skip: int = 0) -> None:
        self._lines = LineCutter(options.max_line_bytes)
        self._rows = RowJoiner(options.delimiter, options.max_line_bytes) if format == "csv" else None
        self._read = {"jsonl": _json_fields, "csv": self._row_fields, "text": _text_fields}[format]
        self._options = options
        self._names: list[str] = []
        self._left_to_skip = skip

    def feed(self, chunk: bytes) -> list[Record | Rejection]:
        """The records that end in this piece."""
        return self._taken(self._complete(self._lines.feed(chunk)))

    def close(self) -> list[Record | Rejection]:
        """The last record, where nothing ended it."""
        rows = self._complete(self._lines.close())
        unfinished = self._rows.close() if self._rows else None
        return self._taken([*rows, unfinished] if unfinished else rows)

    def _complete(self, lines: Iterable[Line]) -> list[Row]:
        if self._rows is not None:
            return [row for row in map(self._rows.take, lines) if row is not None]
        most = f"The line is longer than {self._options.max_line_bytes} bytes, which is the limit."
        return [Row(number, content, "" if content is not None else most) for number, content in lines]

    def _taken(self, rows: Iterable[Row]) -> list[Record | Rejection]:
        found: list[Record | Rejection] = []
        for row in rows:
            if row.content is not None and not row.content.strip():
                continue
            if self._rows is not None and not self._names:
                self._names = _header(row, self._options)
            elif self._left_to_skip:
                self._left_to_skip -= 1
            else:
                found.append(_record(row, self._read, self._options))
        return found

    def _row_fields(self, text: str, options: ReadOptions) -> dict[str, Any]:
        cells = cells_of(text, options.delimiter)
        if len(cells) != len(self._names):
            raise ValueError(f"The row has {len(cells)} cells; the header has {len(self._names)}.")
        return typed_cells(self._names, cells, options)


Read = Callable[[str, ReadOptions], dict[str, Any]]


def _record(row: Row, read: Read, options: ReadOptions) -> Record | Rejection:
    try:
        return Record(row.line, *parts_of(read(_decoded(row), options), options))
    except ValueError as error:
        return Rejection(row.line, str(error))


def _decoded(row: Row) -> str:
    if row.content is None:
        raise ValueError(row.reason)
    try:
        return row.content.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"It is not UTF-8 (at byte {error.start + 1}).") from None


def _json_fields(text: str, _options: ReadOptions) -> dict[str, Any]:
    value = json_of(text)
    if not isinstance(value, dict):
        raise ValueError(f"It is {kind_of(value)}; a line of JSONL is an object.")
    return value


def _text_fields(text: str, options: ReadOptions) -> dict[str, Any]:
    return {options.text_field: text}


def _header(row: Row, options: ReadOptions) -> list[str]:
    try:
        names = [name.strip() for name in cells_of(_decoded(row), options.delimiter)]
    except ValueError as error:
        raise InvalidInput(f"Line {row.line}, the header: {error}") from None
    if len(set(names)) < len(names):
        raise InvalidInput(f"Line {row.line}, the header: {len(names)} columns, and two have one name. Rename one.")
    if options.text_field not in names and options.vector_field not in names:
        raise InvalidInput(
            f"Line {row.line}, the header: {len(names)} columns, and none is named {options.needed}. "
            "Name the column of the text, or say which one it is."
        )
    return names
