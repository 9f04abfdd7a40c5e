"""Records in the rows of a Parquet file, read some rows at a time."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute, parquet

from service.importing.errors import SourceError
from service.importing.fields import METADATA, json_of, parts_of
from service.importing.options import ReadOptions
from service.importing.records import Record, Rejection

_ROWS = 1_024  # read at a time, and fewer where they may be large
_BATCH_BYTES = 64 * 1024 * 1024  # of texts at a time
_MOST_PACKED = 100  # times smaller than what is in it; texts and vectors shrink by a tenth
_FEWEST_BYTES = 64 * 1024 * 1024  # below which nobody minds
_MOST_VALUES = 100_000  # in a list; a record of so many would be refused anyway
_NOT_UTF8, _TOO_LONG = object(), object()


class ParquetItems:
    """The rows of a file; the number of a row, from 1, stands for its line. Raises SourceError, also while it is read.

    A null is no field. Times become strings of ISO 8601, in UTC where they say no zone; decimals become floats. What
    JSON lacks makes its row a rejection, unless the options leave its column out.
    """

    def __init__(self, name: str, options: ReadOptions, skip: int) -> None:
        self._name = name
        self._options = options
        self._skip = skip
        self.position = 0
        with _told_of(name):
            self._file = parquet.ParquetFile(name)
            texts = [field.name for field in self._file.schema_arrow if _is_text(field.type)]
            self._texts = parquet.ParquetFile(name, metadata=self._file.metadata, read_dictionary=texts)
            self.size: int | None = Path(name).stat().st_size

    def __iter__(self) -> Iterator[Record | Rejection]:
        names = self._columns(self._file.schema_arrow.names)
        metadata = self._file.metadata
        group, row = _first_group(metadata, self._skip)
        with _told_of(self._name), self._file, self._texts:
            for each in range(group, metadata.num_row_groups):
                rows = self._rows_at_a_time(each, names)
                for batch in self._file.iter_batches(batch_size=rows, row_groups=[each], columns=names):
                    passed = min(max(0, self._skip - row), batch.num_rows)
                    yield from self._records(names, batch.slice(passed), row + passed)
                    row += batch.num_rows
                    self.position = (self.size or 0) * row // metadata.num_rows

    def _columns(self, names: Sequence[str]) -> list[str]:
        """Those to read; raises SourceError where there is nothing to find in them."""
        options = self._options
        if len(set(names)) < len(names):
            raise SourceError(f"{self._name}: two columns have one name. Rename one.")
        if options.text_field not in names and options.vector_field not in names:
            raise SourceError(
                f"{self._name}: none of its {len(names)} columns is named {options.needed}. Say which one has the text."
            )
        wanted = options.metadata_fields
        parts = {options.id_field, options.text_field, options.vector_field, METADATA}
        return [name for name in names if wanted is None or name in wanted or name in parts]

    def _rows_at_a_time(self, group: int, names: Sequence[str]) -> int:
        """So many that their texts fit into memory: a long text of the file's dictionary may be in every row.

        Raises SourceError for a group that is far larger in memory than in the file.
        """
        unpacked = self._file.metadata.row_group(group).total_byte_size
        if unpacked > max(_FEWEST_BYTES, _MOST_PACKED * (self.size or 0)):
            raise SourceError(f"{self._name}: its rows unpack to {unpacked} bytes, far more than it is. Do not use it.")
        texts = [name for name in names if _is_text(self._file.schema_arrow.field(name).type)]
        first = next(self._texts.iter_batches(batch_size=1, row_groups=[group], columns=texts), None) if texts else None
        columns = [] if first is None else first.columns
        lengths = (compute.max(compute.binary_length(column.dictionary)).as_py() for column in columns)
        return int(max(1, min(_ROWS, _BATCH_BYTES // max(1, sum(length or 0 for length in lengths)))))

    def _records(self, names: Sequence[str], batch: Any, row: int) -> Iterator[Record | Rejection]:
        columns = [_values(batch.column(name)) for name in names]
        for number, values in enumerate(zip(*columns, strict=True), start=row + 1):
            try:
                fields = {name: _plain(value, name) for name, value in zip(names, values, strict=True)}
                yield Record(number, *parts_of(_present(fields), self._options))
            except ValueError as error:
                yield Rejection(number, str(error))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _first_group(metadata: Any, skip: int) -> tuple[int, int]:
    """The group of rows that the row after `skip` is in, and how many rows are before it."""
    before = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if before + rows > skip:
            return group, before
        before += rows
    return metadata.num_row_groups, before


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    present = {name: value for name, value in fields.items() if value is not None}
    metadata = present.get(METADATA)
    if isinstance(metadata, str) and metadata.startswith("{"):
        present[METADATA] = json_of(metadata)
    return present


def _values(column: Any) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # finer than Python's
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    if _is_list(kind) and (compute.max(compute.list_value_length(column)).as_py() or 0) > _MOST_VALUES:
        return [_TOO_LONG if value.is_valid and len(value) > _MOST_VALUES else value.as_py() for value in column]
    if _is_list(kind) and pa.types.is_floating(kind.value_type):
        return [value.values.to_numpy(zero_copy_only=False).tolist() if value.is_valid else None for value in column]
    try:
        return list(column.to_pylist(maps_as_pydicts="lossy"))
    except UnicodeDecodeError:
        return [_value(value) for value in column]


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _value(value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return _NOT_UTF8


def _plain(value: Any, name: str) -> Any:
    """As JSON has it; raises ValueError with the reason."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"`{name}` holds a number that is not finite.")
        return value
    if isinstance(value, list):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, name) for key, item in value.items()}
    if value is _NOT_UTF8:
        raise ValueError(f"`{name}` is not UTF-8.")
    if value is _TOO_LONG:
        raise ValueError(f"`{name}` holds over {_MOST_VALUES} values.")
    return _other(value, name)


def _other(value: Any, name: str) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _plain(float(value), name)
    raise ValueError(f"`{name}` is of the type {type(value).__name__}, which JSON lacks. Leave the column out.")


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{name}: there is no such file.") from error
    except (OSError, pa.ArrowException, MemoryError, OverflowError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{name}: cannot be read as Parquet ({reason}). Fetch it again.") from error
