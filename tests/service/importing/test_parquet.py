from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from service.importing.errors import SourceError
from service.importing.files import opened
from service.importing.options import DEFAULT, ReadOptions
from service.importing.records import Record, Rejection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "points.parquet"


def read(path: Path, options: ReadOptions = DEFAULT, skip: int = 0) -> list[Record | Rejection]:
    with opened(str(path), options=options, skip=skip) as items:
        return list(items)


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pa.table(columns), path, **options)
    return path


def test_a_row_is_a_record(path: Path) -> None:
    write(path, {"id": [1, 2], "text": ["a", None], "vector": [[0.5, 1.0], [2.0, 3.0]], "year": [2021, None]})
    assert read(path) == [
        Record(1, 1, "a", [0.5, 1.0], {"year": 2021}),
        Record(2, 2, None, [2.0, 3.0], None),
    ]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_vectors_keep_their_numbers(path: Path, kind: Any) -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 8)).astype(kind.to_pandas_dtype())
    for layout in (pa.list_(kind), pa.list_(kind, 8), pa.large_list(kind)):
        write(path, {"vector": pa.array(list(vectors), layout)})
        found = [item.vector for item in read(path) if isinstance(item, Record)]
        assert np.array_equal(np.array(found), vectors.astype(np.float64))


def test_values_become_what_json_has(path: Path) -> None:
    moment = datetime(2021, 5, 4, 3, 2, 1, 500_000)
    columns = {
        "text": ["a"],
        "seconds": pa.array([moment], pa.timestamp("s", "Europe/Berlin")),
        "fine": pa.array([np.datetime64("2021-05-04T03:02:01.123456789")], pa.timestamp("ns")),
        "local": pa.array([moment], pa.timestamp("us")),
        "day": [date(2021, 5, 4)],
        "price": [Decimal("1.50")],
        "kind": pa.array(["x"]).dictionary_encode(),
        "inner": [{"flag": True, "list": [1, 2]}],
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    }
    write(path, columns)
    [item] = read(path)
    assert isinstance(item, Record)
    assert item.metadata is not None
    begun = datetime.fromisoformat(item.metadata.pop("seconds"))
    assert begun.astimezone(UTC) == datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert item.metadata == {
        "fine": "2021-05-04T03:02:01.123456+00:00",
        "local": "2021-05-04T03:02:01.500000+00:00",
        "day": "2021-05-04",
        "price": 1.5,
        "kind": "x",
        "inner": {"flag": True, "list": [1, 2]},
        "map": {"k": 1},
    }


def test_metadata_is_an_object_or_a_string_of_one(path: Path) -> None:
    write(path, {"text": ["a", "b"], "metadata": ['{"k": [1]}', "{broken"]})
    assert read(path) == [
        Record(1, None, "a", None, {"k": [1]}),
        Rejection(2, "It is not valid JSON (at character 2)."),
    ]
    write(path, {"text": ["a"], "metadata": [{"k": 1}]})
    assert read(path) == [Record(1, None, "a", None, {"k": 1})]


@pytest.mark.parametrize(
    ("column", "part"),
    [
        (pa.array([b"\x00"]), "of the type bytes, which JSON lacks"),
        (pa.array([float("nan")]), "not finite"),
        (pa.array([[1.0, float("inf")]]), "not finite"),
        (pa.array([b"\xff"]).cast(pa.binary()).view(pa.string()), "not UTF-8"),
    ],
)
def test_what_json_lacks_rejects_the_row_unless_its_column_is_left_out(path: Path, column: Any, part: str) -> None:
    write(path, {"text": ["a"], "odd": column, "year": [1]})
    [item] = read(path)
    assert isinstance(item, Rejection)
    assert part in item.reason
    options = ReadOptions(metadata_fields=frozenset({"year"}))
    assert read(path, options) == [Record(1, None, "a", None, {"year": 1})]


def test_one_text_that_is_not_utf8_rejects_its_row_alone(path: Path) -> None:
    write(path, {"text": pa.array([b"a", b"\xff", b"c"]).view(pa.string())})
    assert [type(item) for item in read(path)] == [Record, Rejection, Record]


def test_a_vector_of_something_else_rejects_the_row(path: Path) -> None:
    write(path, {"vector": [[1.0, None], [1.0, 2.0]], "id": [1, 2]})
    assert [type(item) for item in read(path)] == [Rejection, Record]
    write(path, {"vector": ["x"]})
    [item] = read(path)
    assert isinstance(item, Rejection)
    assert "`vector` is a string" in item.reason


@pytest.mark.parametrize("skip", [0, 1, 99, 100, 101, 1500, 2999, 3000, 4000])
def test_the_first_rows_can_be_skipped(path: Path, skip: int) -> None:
    write(path, {"text": [str(n) for n in range(3000)]}, row_group_size=100)
    assert read(path, skip=skip) == [Record(n + 1, None, str(n), None, None) for n in range(skip, 3000)]


def test_rows_after_a_skip_inside_a_large_group(path: Path) -> None:
    write(path, {"text": [str(n) for n in range(3000)]})
    assert read(path, skip=2049) == read(path)[2049:]


def test_position_goes_to_the_size(path: Path) -> None:
    write(path, {"text": [str(n) for n in range(3000)]})
    with opened(str(path)) as items:
        list(items)
        assert items.position == items.size == path.stat().st_size


@pytest.mark.parametrize("content", [b"", b"PAR1", b"text\nno parquet\n" * 100])
def test_what_is_no_parquet_is_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        read(path)


def test_a_file_cut_short_is_told(path: Path) -> None:
    write(path, {"text": [str(n) for n in range(3000)]})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        read(path)


def test_columns_of_no_use_are_told(path: Path) -> None:
    with pytest.raises(SourceError, match="none of its 1 columns is named text or vector"):
        read(write(path, {"title": ["a"]}))
    parquet.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), path)
    with pytest.raises(SourceError, match="two columns have one name"):
        read(path)


def test_where_a_vector_is_of_no_use_its_column_is_not_read(path: Path) -> None:
    options = ReadOptions(vector_field=None, metadata_fields=frozenset())
    write(path, {"text": ["a dog"], "vector": ["none"]})
    assert read(path, options) == [Record(1, None, "a dog", None, None)]
    write(path, {"vector": [[1.0, 2.0]]})
    with pytest.raises(SourceError, match=r"none of its 1 columns is named text\. "):
        read(path, options)


def test_no_rows(path: Path) -> None:
    assert read(write(path, {"text": pa.array([], pa.string())})) == []
