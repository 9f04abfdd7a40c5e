"""The rows of a finished run as a Parquet file, which `mcse index` reads too."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from models.files import replaced_file
from service.commands.embedding.partial import Listed
from service.commands.errors import CommandError

ROWS = 8_192  # of a row group


def require_pyarrow() -> None:
    """Raises CommandError where it is not installed, before hours of work."""
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise CommandError(
            f"Parquet needs {error.name}, which is not installed. Install it: pip install '.[files]'"
        ) from error


def schema_of(width: int, dtype: "np.dtype[Any]", *, integers: bool, text: bool, metadata: bool) -> Any:
    """`id`, `text` and `metadata` (JSON) where they are wanted, `dropped_tokens`, and `vector`."""
    import pyarrow as pa

    columns = [("id", pa.int64() if integers else pa.string())]
    columns += [("text", pa.string())] * text + [("metadata", pa.string())] * metadata
    columns += [("dropped_tokens", pa.int32()), ("vector", pa.list_(pa.from_numpy_dtype(dtype), width))]
    return pa.schema(columns)


def table_of(listed: list[Listed], vectors: NDArray[Any], schema: Any) -> Any:
    """Rows by a schema of `schema_of`."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "id": [each.id if schema.field("id").type == pa.int64() else str(each.id) for each in listed],
        "text": [each.text for each in listed],
        "metadata": [orjson.dumps(each.metadata).decode() if each.metadata else None for each in listed],
        "dropped_tokens": [each.dropped for each in listed],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1]),
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def write_table(output: Path, vectors: Path, listed: Path, schema: Any, about: dict[str, str]) -> None:
    """Write the file, which appears whole or not at all, from the rows in `vectors` and `listed`."""
    from pyarrow.parquet import ParquetWriter

    plain = [name for name in schema.names if name != "vector"]
    with vectors.open("rb") as rows, listed.open("rb") as lines, replaced_file(output) as file:
        # Vectors look like noise: packing them takes time and saves little.
        packed = {name: "zstd" for name in plain} | {"vector": "none"}
        with ParquetWriter(
            file, schema.with_metadata(about), compression=packed, use_dictionary=plain, write_statistics=plain
        ) as writer:
            for some, block in _groups(lines, rows, schema):
                writer.write_table(table_of(some, block, schema))


def _groups(lines: BinaryIO, rows: BinaryIO, schema: Any) -> Iterator[tuple[list[Listed], NDArray[Any]]]:
    kind = schema.field("vector").type
    dtype = np.dtype(kind.value_type.to_pandas_dtype())
    while some := [Listed(*orjson.loads(line)) for line in islice(lines, ROWS)]:
        numbers = np.frombuffer(rows.read(len(some) * kind.list_size * dtype.itemsize), dtype)
        yield some, numbers.reshape(len(some), kind.list_size)
