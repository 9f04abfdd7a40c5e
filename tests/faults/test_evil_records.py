"""Files of records that lie or explode, as `mcse index` and an import read them: rejected rows or a named error, in
little memory and time."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.faults.cage import Cage, Outcome, require_refused
from tests.faults.conftest import Runs
from tests.faults.knobs import SEED, number, tell

MB = 1 << 20
MUTATIONS = number("TEST_MUTATIONS", 25)

pytestmark = pytest.mark.timeout(3600)


def read(outcome: Outcome, *, grown_mb: int = 150) -> dict[str, Any]:
    """How many there were, and how many were rejected."""
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert outcome.grown_mb <= grown_mb, outcome
    found: dict[str, Any] = json.loads(outcome.answer)
    return found


# ---- lines ----

GOOD = b'{"id": 1, "text": "a dog"}\n'
LINES: dict[str, bytes] = {
    "deep lists": b'{"text": ' + b"[" * 400_000 + b"]" * 400_000 + b"}\n",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    "deep metadata": b'{"text": "a", "metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}\n",
    "a number of 5000 digits": b'{"text": "a", "id": ' + b"9" * 5000 + b"}\n",
    "a number beyond all": b'{"text": "a", "vector": [1e999]}\n',
    "NaN": b'{"text": "a", "vector": [NaN]}\n',
    "half a surrogate": b'{"text": "\\ud800"}\n',
    "no UTF-8": b'{"text": "\xff\xfe"}\n',
    "NUL": bytes(1000) + b"\n",
    "a pickle": b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.\n",
    "a list": b"[1, 2]\n",
    "a line that is too long": b'{"text": "' + b"x" * 2 * MB + b'"}\n',
}


@pytest.mark.parametrize("line", LINES)
def test_a_bad_line_is_rejected_and_those_around_it_are_read(cage: Cage, tmp_path: Path, line: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_bytes(GOOD + LINES[line] + GOOD)
    found = read(cage.call("records", path))
    assert found["read"] == 3
    assert found["rejected"] == (0 if line == "deep metadata" else 1)  # that one is refused where it is written


def endless(path: Path, start: bytes, gigabytes: int = 1) -> None:
    """A file that goes on with zeros, which take no room on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(gigabytes << 30)


@pytest.mark.parametrize(
    ("name", "start", "count"),
    [
        ("points.jsonl", GOOD + b'{"text": "', 2),
        ("points.csv", b'id,text\n1,a dog\n2,"', 2),
        ("points.csv", b"id,text\n1,a dog\n2,", 2),
        ("points.tsv", b"id\ttext\n1\ta dog\n2\t", 2),
        ("points.txt", b"a dog\n", 2),
    ],
    ids=["a line of JSON", "a quoted cell", "a cell", "a cell between tabs", "a text"],
)
def test_a_cell_of_a_gigabyte_is_rejected_and_never_held(
    cage: Cage, tmp_path: Path, name: str, start: bytes, count: int
) -> None:
    endless(tmp_path / name, start)
    found = read(cage.call("records", tmp_path / name), grown_mb=60)
    assert (found["read"], found["rejected"]) == (count, 1)


def test_a_header_of_many_columns_is_read_or_refused(cage: Cage, tmp_path: Path) -> None:
    columns = ",".join(["text", *(f"c{number}" for number in range(200_000))])
    (tmp_path / "points.csv").write_text(f"{columns}\n" + "a" + "," * 200_000 + "\n")
    outcome = cage.call("records", tmp_path / "points.csv")
    require_refused(outcome)


# ---- packed ----


@pytest.mark.parametrize("name", ["points.jsonl.gz", "points.csv.gz", "points.txt.gz"])
def test_a_packed_file_is_unpacked_a_piece_at_a_time(cage: Cage, tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", compresslevel=1) as file:
        file.write(b"text\na dog\n" if "csv" in name else b'{"text": "a dog"}\n')
        for _ in range(300):
            file.write(b"x" * MB)
    (tmp_path / name).write_bytes(buffer.getvalue())
    found = read(cage.call("records", tmp_path / name), grown_mb=60)
    assert (found["read"], found["rejected"]) == (2, 1)


@pytest.mark.parametrize("again", [1, 5])
def test_a_file_that_is_packed_more_than_once_is_unpacked_once(cage: Cage, tmp_path: Path, again: int) -> None:
    content = GOOD * 100
    for _ in range(1 + again):
        content = gzip.compress(content)
    (tmp_path / "points.jsonl.gz").write_bytes(content)
    found = read(cage.call("records", tmp_path / "points.jsonl.gz"))
    assert found["read"] == found["rejected"]


@pytest.mark.parametrize(
    "content",
    [gzip.compress(GOOD)[:-5], gzip.compress(GOOD)[:12], b"\x1f\x8b" + bytes(100), gzip.compress(GOOD) + b"more"],
    ids=["cut off", "a header alone", "no content", "something behind it"],
)
def test_a_packed_file_that_is_damaged_is_refused(cage: Cage, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "points.jsonl.gz").write_bytes(content)
    require_refused(cage.call("records", tmp_path / "points.jsonl.gz"))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_other_packings_are_lines_that_are_rejected(cage: Cage, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "points.jsonl").write_bytes(pack(GOOD * 100))
    found = read(cage.call("records", tmp_path / "points.jsonl"))
    assert found["read"] == found["rejected"] > 0


def test_what_is_no_file_is_refused(cage: Cage, tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").mkdir()
    (tmp_path / "itself.jsonl").symlink_to("itself.jsonl")
    for name in ("points.jsonl", "itself.jsonl", "nothing.jsonl", "points.pickle", "points"):
        require_refused(cage.call("records", tmp_path / name))


# ---- Parquet ----

LONG = "x" * MB


def written(path: Path, **columns: Any) -> None:
    parquet.write_table(pa.table(columns), path, compression="zstd")


def many_rows_of_one_text(path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000, pa.int32()), pa.array([LONG]))
    schema = pa.schema([("text", pa.dictionary(pa.int32(), pa.string()))])
    with parquet.ParquetWriter(path, schema, store_schema=False, dictionary_pagesize_limit=64 * MB) as writer:
        writer.write_table(pa.table({"text": column}, schema=schema))


def test_a_long_text_in_every_row_is_read_a_few_rows_at_a_time(cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    many_rows_of_one_text(path)
    assert path.stat().st_size < 2 * MB
    outcome = cage.call("records", path, memory_mb=2048)
    found = read(outcome, grown_mb=500)
    assert found["read"] == 3_000


BOMBS: dict[str, Callable[[Path], None]] = {
    "a text of 100 MB": lambda path: written(path, text=[" " * 100 * MB]),
    "100 MB of texts": lambda path: parquet.write_table(
        pa.table({"text": ["a" * MB] * 100}), path, compression="zstd", use_dictionary=False, row_group_size=100
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_of_parquet_that_explodes_is_refused(cage: Cage, tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "points.parquet"
    BOMBS[bomb](path)
    assert path.stat().st_size < 2 * MB
    require_refused(cage.call("records", path), grown_mb=150)


def test_a_vector_of_millions_of_numbers_is_rejected_and_not_unpacked(cage: Cage, tmp_path: Path) -> None:
    zeros = pa.array([0.0, 0.0], pa.float32()).take(pa.nulls(20 * MB, pa.int64()).fill_null(0))
    lists = pa.ListArray.from_arrays(pa.array([0, 20 * MB, 20 * MB + 0], pa.int32()), zeros)
    written(tmp_path / "points.parquet", text=["a", "b"], vector=lists)
    assert (tmp_path / "points.parquet").stat().st_size < 2 * MB
    found = read(cage.call("records", tmp_path / "points.parquet"), grown_mb=300)
    assert (found["read"], found["rejected"]) == (2, 1)
    assert found["reasons"] == ["`vector` holds over 100000 values."]


def test_rows_that_are_deep_are_read_or_rejected(cage: Cage, tmp_path: Path) -> None:
    value: Any = 1
    for _ in range(60):
        value = {"a": value}
    written(tmp_path / "points.parquet", text=["a"], deep=[value])
    found = read(cage.call("records", tmp_path / "points.parquet"))
    assert found["read"] == 1


def test_a_pickle_in_the_schema_runs_nothing(cage: Cage, tmp_path: Path, runs: Runs) -> None:
    """What pandas writes into a schema, and extension types, of which one is known to be a pickle."""
    import pickle

    secret = pickle.dumps(runs)
    metadata = {b"pandas": secret, b"ARROW:extension:name": b"arrow.py_extension_type"}
    field = pa.field("text", pa.string(), metadata={**metadata, b"ARROW:extension:metadata": secret})
    table = pa.table({"text": ["a dog"]}, schema=pa.schema([field], metadata=metadata))
    parquet.write_table(table, tmp_path / "points.parquet")
    outcome = cage.call("records", tmp_path / "points.parquet")
    assert outcome.fell == "", outcome.fell


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100, b"PAR1\xff\xff\xff\x7fPAR1", os.urandom(1000)])
def test_what_is_no_parquet_is_refused(cage: Cage, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "points.parquet").write_bytes(content)
    require_refused(cage.call("records", tmp_path / "points.parquet"))


def test_a_file_of_parquet_that_was_changed_anywhere_falls_nowhere(cage: Cage, tmp_path: Path) -> None:
    """The places are drawn from a seed, TEST_SEED; half of them are in what the file says of itself."""
    whole = tmp_path / "whole.parquet"
    columns = {"id": range(500), "text": [f"text {n}" for n in range(500)], "vector": [[0.5, 1.0]] * 500}
    written(whole, **{**columns, "tags": [["a", "b"]] * 500})
    content = whole.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    draw = random.Random(SEED)
    refused = 0
    for mutation in range(MUTATIONS):
        changed = bytearray(content)
        for _ in range(draw.randint(1, 8)):
            place = draw.randrange(footer, len(content)) if draw.random() < 0.5 else draw.randrange(len(content))
            changed[place] = draw.randrange(256)
        (tmp_path / "points.parquet").write_bytes(changed)
        outcome = cage.call("records", tmp_path / "points.parquet", memory_mb=4096)
        assert outcome.fell == "", f"seed {SEED}, mutation {mutation}: {outcome.fell}"
        assert outcome.grown_mb <= 500, f"seed {SEED}, mutation {mutation}"
        refused += outcome.told != ""
    tell(f"{MUTATIONS} changed files of Parquet, {refused} refused, the others read")
