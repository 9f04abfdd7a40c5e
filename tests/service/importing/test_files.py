import gzip
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.errors import InvalidInput
from service.importing.errors import SourceError
from service.importing.files import FileFormat, format_of, identity_of, opened
from service.importing.options import DEFAULT, ReadOptions
from service.importing.records import Record, Rejection

LINES = b'{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\nbroken\n'


def read(
    path: Path | str, format: FileFormat | None = None, options: ReadOptions = DEFAULT, skip: int = 0
) -> list[Record | Rejection]:
    with opened(str(path), format, options, skip=skip) as items:
        return list(items)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.b.csv", "csv"), ("a.tsv.gz", "tsv"), ("a.txt", "text"),
        ("a.TXT.GZ", "text"), ("a.parquet", "parquet"),
    ],
)  # fmt: skip
def test_the_name_tells_the_format(name: str, format: str) -> None:
    assert format_of(name) == format


@pytest.mark.parametrize("name", ["a", "a.gz", "a.json", "a.xlsx", "csv"])
def test_a_name_that_tells_no_format_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(SourceError, match=r"\.jsonl, .*--format"):
        format_of(name)


def test_a_packed_file_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    plain = read(written(tmp_path / "plain.jsonl", LINES))
    assert [type(item) for item in plain] == [Record, Record, Rejection]
    assert read(written(tmp_path / "a.jsonl.gz", gzip.compress(LINES))) == plain
    assert read(written(tmp_path / "b.jsonl", gzip.compress(LINES))) == plain
    assert read(written(tmp_path / "c.jsonl.gz", LINES)) == plain


def test_tsv_has_tabs(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", b"id\ttext\nx\ta, b\n")
    assert read(path) == [Record(2, "x", "a, b", None, None)]


def test_position_goes_to_the_size(tmp_path: Path) -> None:
    content = b"a sentence that is read\n" * 50_000
    for path in (
        written(tmp_path / "a.txt", content),
        written(tmp_path / "a.txt.gz", gzip.compress(os.urandom(1_000_000).hex().encode())),
    ):
        with opened(str(path), options=ReadOptions(max_line_bytes=10_000_000)) as items:
            assert items.position == 0
            assert sum(1 for _ in items) > 0
            assert items.size == path.stat().st_size == items.position


def test_records_come_before_the_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", b"a sentence\n" * 1_000_000)
    with opened(str(path)) as items:
        next(iter(items))
        assert items.size is not None
        assert items.position < items.size / 10


def test_the_first_records_can_be_skipped(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", LINES)
    assert read(path, skip=2) == read(path)[2:]


def test_standard_input_needs_a_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--format"):
        read("-")
    with pytest.raises(SourceError, match="Give a file"):
        read("-", "parquet")
    with written(tmp_path / "input", LINES).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        assert len(read("-", "jsonl")) == 3
        assert not file.closed


def test_a_pipe_has_no_size() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(b"one\ntwo\n")
    name = f"/proc/self/fd/{reading}"
    with opened(name, "text") as items:
        assert items.size is None
        assert len(list(items)) == 2
        assert items.position == 8
    os.close(reading)


@pytest.mark.parametrize("name", ["missing.jsonl", "folder.jsonl", "missing.parquet"])
def test_what_cannot_be_read_is_told_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(SourceError, match=name):
        read(tmp_path / name)
    if "folder" not in name:
        with pytest.raises(SourceError, match="no such file"):
            identity_of(str(tmp_path / name))


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_pack_is_told_after_what_could_be_read(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(os.urandom(400_000).hex().encode().replace(b"0", b"\n")))
    if damage == "cut":
        del packed[-1000:]
    else:
        packed[-6] ^= 1
    path = written(tmp_path / "a.txt.gz", bytes(packed))
    seen: list[Record | Rejection] = []
    with opened(str(path)) as items, pytest.raises(SourceError, match=r"a\.txt\.gz: cannot be read"):
        seen.extend(items)
    assert len(seen) > 1000


def test_an_error_of_the_one_who_reads_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", b"a\n")

    def read_and_fail() -> None:
        with opened(str(path)) as items:
            next(iter(items))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        read_and_fail()


def test_the_header_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="header"):
        read(written(tmp_path / "a.csv", b"title\nx\n"))


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.csv", "a.txt", "a.txt.gz"):
        assert read(written(tmp_path / name, b"")) == []


def test_identity_changes_with_size_time_and_both_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "a", bytes(300_000))
    first = identity_of(str(path))
    assert identity_of(str(path)) == first
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    for change in (b"x" + bytes(299_999), bytes(299_999) + b"x", bytes(300_001)):
        path.write_bytes(change)
        os.utime(path, ns=times)
        assert identity_of(str(path)) != first
    path.write_bytes(bytes(300_000))
    os.utime(path, ns=(times[0], times[1] + 1))
    assert identity_of(str(path)) != first


def test_output_of_another_program_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
        with opened("-", "text") as items:
            records = iter(items)
            os.write(writing, b"first\nsec")
            assert next(records) == Record(1, None, "first", None, None)
            os.write(writing, b"ond\n")
            os.close(writing)
            assert list(records) == [Record(2, None, "second", None, None)]
    assert isinstance(pipe, io.BufferedReader)
