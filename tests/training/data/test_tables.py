from collections.abc import Sequence
from pathlib import Path

import pytest

from training.data.tables import read_table
from training.errors import DataError


def first_two(names: Sequence[str]) -> list[int]:
    return [0, 1]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, newline="")
    return path


def test_csv_is_quoted_as_usual_and_numbered_by_the_line_a_row_begins_on(tmp_path: Path) -> None:
    content = 'a,b\r\n"one, two","he said ""hi"""\r\n"over\ntwo lines",x\r\nlast,"y"'
    assert list(read_table(written(tmp_path, "t.csv", content), first_two)) == [
        (2, ("one, two", 'he said "hi"')),
        (3, ("over\ntwo lines", "x")),
        (5, ("last", "y")),
    ]


def test_tsv_is_not_quoted_pitfall_19(tmp_path: Path) -> None:
    """Pitfall 19: quoting would join STS-B's sentences that hold a quote character."""
    content = 'a\tb\n"An open quote\tx, y\nan apple\'s "core\tz"\n'
    assert list(read_table(written(tmp_path, "t.tsv", content), first_two)) == [
        (2, ('"An open quote', "x, y")),
        (3, ("an apple's \"core", 'z"')),
    ]


def test_columns_are_chosen_by_their_names_in_the_header(tmp_path: Path) -> None:
    told = []

    def choose(names: Sequence[str]) -> list[int]:
        told.append(list(names))
        return [2, 0]

    rows = list(read_table(written(tmp_path, "t.csv", "\ufeffa, b ,c\n1,2,3\n"), choose))
    assert told == [["a", "b", "c"]]
    assert rows == [(2, ("3", "1"))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,b\n1,2\n1,2,3\n", r"t\.csv, line 3: 3 fields, but the first line names 2"),
        ("t.csv", "a,b\n1,2\n\n3,4\n", r"t\.csv, line 3: 1 fields"),
        ("t.tsv", "a\tb\n1\t2\nonly one\n", r"t\.tsv, line 3: 1 fields, but the first line names 2"),
        ("t.csv", 'a,b\n1,2\n"open,2\n3,4\n', r"t\.csv, line 3: not CSV \(unexpected end of data\)"),
        ("t.csv", 'a,b\n"x"y,2\n', r"t\.csv, line 2: not CSV"),
        ("t.csv", "a,b\nx\ry,2\n", r"t\.csv, line 2: not CSV"),
        ("t.csv", "a,b\n" + "x" * 200_000 + ",2\n", r"t\.csv, line 2: not CSV \(field larger than"),
        ("t.csv", "a,b\n1,2\n1,\0\n", r"t\.csv, line 3: a NUL byte"),
        ("t.csv", "a,a\n1,2\n", r"t\.csv, line 1: several columns are named 'a'"),
        ("t.csv", "", r"t\.csv: the file is empty"),
    ],
)
def test_a_malformed_row_is_named_with_its_line_pitfall_18(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    """Pitfall 18: rows of different width never become a ragged array."""
    with pytest.raises(DataError, match=message):
        list(read_table(written(tmp_path, name, content), first_two))
