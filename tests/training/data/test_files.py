import gzip
import tracemalloc
from pathlib import Path

import pytest

from training.data.files import form, lines, whole_lines
from training.errors import DataError


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", ".csv"), ("A.CSV.gz", ".csv"), ("a.txt.GZ", ".txt"), ("a.gz", ""), ("a", ""), ("v1.2/a.b.tsv", ".tsv")],
)
def test_the_form_is_the_ending_without_gz(name: str, expected: str) -> None:
    assert form(Path(name)) == expected


@pytest.mark.parametrize("ending", [".txt", ".txt.gz", ".GZ"])
def test_lines_come_with_numbers_and_without_line_ends(tmp_path: Path, ending: str) -> None:
    path, content = tmp_path / f"a{ending}", "one\r\n\nthrée \u2028 3\nfour".encode()
    path.write_bytes(gzip.compress(content) if ending.lower().endswith(".gz") else content)
    assert list(lines(path)) == [(1, "one"), (2, ""), (3, "thrée \u2028 3"), (4, "four")]
    assert "".join(line for _, line in whole_lines(path)).encode() == content


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbftext\n")
    assert list(lines(tmp_path / "a.txt")) == [(1, "text")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\ntwo\n\xff\xfe\n", r"t\.txt, line 3: not UTF-8\. Convert"),
        (b"one\nt\0wo\n", r"t\.txt, line 2: a NUL byte"),
        ("one\ntwo\n".encode("utf-16"), r"t\.txt, line 1: not UTF-8"),
    ],
    ids=["utf-8", "nul", "utf-16"],
)
def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(lines(tmp_path / "t.txt"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.gz", gzip.compress(b"one\n" * 1000)[:-20]),
        ("not.gz", b"one\ntwo\n"),
        ("damaged.gz", gzip.compress(b"one")[:10] + b"\xff" * 50),
    ],
    ids=["cut", "not", "damaged"],
)
def test_a_gzip_that_is_damaged_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: cannot be read \(.+\)"):
        list(lines(tmp_path / name))


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.txt: there is no such file\. Is MCSE_DATA"):
        list(lines(tmp_path / "t.txt"))
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        list(lines(tmp_path))


def test_a_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("a man in a hat runs through the snow with his dog\n" * 200_000)
    tracemalloc.start()
    assert sum(1 for _ in lines(path)) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
