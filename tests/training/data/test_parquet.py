import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from training.data.parquet import parquet_rows
from training.errors import DataError


def written(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pa.table(columns), folder / "t.parquet", **options)
    return folder / "t.parquet"


def first(names: Sequence[str]) -> list[int]:
    return [0]


def test_chosen_columns_come_in_the_order_asked_for_with_row_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": ["1", "2"], "n": [7, 8], "b": ["x", "ÿ"]})
    assert list(parquet_rows(path, lambda names: [names.index("b"), names.index("a")])) == [
        (1, ("x", "1")),
        (2, ("ÿ", "2")),
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_is_read_however_it_is_stored_over_row_groups(tmp_path: Path, kind: pa.DataType) -> None:
    texts = [f"sentence {number % 7}" for number in range(10_000)]
    path = written(tmp_path, {"a": pa.array(texts).cast(kind)}, row_group_size=3_000)
    assert list(parquet_rows(path, first)) == [(row, (text,)) for row, text in enumerate(texts, start=1)]


def test_a_column_that_holds_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.parquet: the column a holds int64\. It must hold text"):
        list(parquet_rows(written(tmp_path, {"a": [1, 2]}), first))


def test_a_missing_value_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.parquet, row 2: a value is missing"):
        list(parquet_rows(written(tmp_path, {"a": ["x", None]}), first))


def test_bytes_that_are_not_utf_8_are_named_with_their_row(tmp_path: Path) -> None:
    offsets = pa.py_buffer(struct.pack("<3i", 0, 1, 3))
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xff\xfe")])
    with pytest.raises(DataError, match=r"t\.parquet, row 2: not UTF-8"):
        list(parquet_rows(written(tmp_path, {"a": broken}), first))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a sentence\nand another\n"], ids=["empty", "cut", "text"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        list(parquet_rows(tmp_path / "t.parquet", first))


def test_damage_inside_a_file_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": ["x" * 100, "y" * 100]})
    content = bytearray(path.read_bytes())
    content[10:40] = b"\xff" * 30
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        list(parquet_rows(path, first))


def test_a_missing_file_and_a_gzip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.parquet: there is no such file"):
        list(parquet_rows(tmp_path / "t.parquet", first))
    with pytest.raises(DataError, match="Unpack the file"):
        list(parquet_rows(tmp_path / "t.parquet.gz", first))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["a", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="several columns are named a"):
        list(parquet_rows(tmp_path / "t.parquet", first))
