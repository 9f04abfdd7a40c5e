import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from service.commands.embedding import table
from service.commands.embedding.partial import Listed
from service.commands.embedding.table import require_pyarrow, schema_of, table_of, write_table
from service.commands.errors import CommandError

LISTED = [Listed(1, "one", {"n": 1}, 0), Listed(2, "naïve", None, 7), Listed(3, "three", {"n": None}, 0)]


def matrix_of(dtype: Any) -> Any:
    return np.arange(12).reshape(3, 4).astype(dtype)


def test_columns_are_those_that_are_wanted() -> None:
    whole = schema_of(4, np.dtype(np.float32), integers=True, text=True, metadata=True)
    assert table_of(LISTED, matrix_of(np.float32), whole).to_pydict() == {
        "id": [1, 2, 3],
        "text": ["one", "naïve", "three"],
        "metadata": ['{"n":1}', None, '{"n":null}'],
        "dropped_tokens": [0, 7, 0],
        "vector": [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
    }
    bare = schema_of(4, np.dtype(np.int8), integers=False, text=False, metadata=False)
    assert bare.names == ["id", "dropped_tokens", "vector"]
    assert bare.field("vector").type == pa.list_(pa.int8(), 4)
    assert table_of(LISTED, matrix_of(np.int8), bare)["id"].to_pylist() == ["1", "2", "3"]


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint8])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_rows_of_a_run_become_a_file_a_group_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Any, count: int
) -> None:
    monkeypatch.setattr(table, "ROWS", 2)
    (tmp_path / "vectors").write_bytes(matrix_of(dtype)[:count].tobytes())
    (tmp_path / "listed").write_bytes(b"".join(orjson.dumps(tuple(each)) + b"\n" for each in LISTED[:count]))
    schema = schema_of(4, np.dtype(dtype), integers=True, text=True, metadata=True)
    write_table(tmp_path / "out.parquet", tmp_path / "vectors", tmp_path / "listed", schema, {"space": "sentence"})
    read = parquet.read_table(tmp_path / "out.parquet")
    assert read.schema == schema
    assert read.schema.metadata[b"space"] == b"sentence"
    assert read.equals(table_of(LISTED[:count], matrix_of(dtype)[:count], schema))
    assert parquet.ParquetFile(tmp_path / "out.parquet").num_row_groups == (count + 1) // 2


def test_what_is_missing_is_told_of_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    require_pyarrow()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match="which is not installed"):
        require_pyarrow()
