"""Columns of Parquet files, in batches of rows, so that a file larger than memory can be read."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from training.errors import DataError

_ROWS = 4_096  # read at a time


def parquet_rows(path: Path, choose: Callable[[Sequence[str]], Sequence[int]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The chosen columns of each row, with its number, from 1.

    Raises:
        DataError: the file is missing or damaged, a chosen column holds no text, or a row lacks a value.
    """
    if path.suffix.lower() == ".gz":
        raise DataError(f"{path}: Parquet is packed already. Unpack the file.")
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            chosen = [names[column] for column in choose(names)]
            _check_types(path, file.schema_arrow, chosen)
            row = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=chosen):
                for values in zip(*(batch.column(name) for name in chosen), strict=True):
                    row += 1
                    yield row, tuple(_text(path, row, value) for value in values)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file. Is MCSE_DATA the folder of your data?") from error
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read as Parquet ({reason}). Fetch it again.") from error


def _check_types(path: Path, schema: Any, chosen: Sequence[str]) -> None:
    for name in chosen:
        if schema.names.count(name) > 1:
            raise DataError(f"{path}: several columns are named {name}. Rename them.")
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise DataError(f"{path}: the column {name} holds {kind}. It must hold text.")


def _text(path: Path, row: int, value: Any) -> str:
    try:
        text: str | None = value.as_py()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, row {row}: not UTF-8. Write the file again.") from error
    if text is None:
        raise DataError(f"{path}, row {row}: a value is missing. Remove the row.")
    return text
