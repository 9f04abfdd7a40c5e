from pathlib import Path

import pytest

from training.data.entities import read_entities
from training.errors import DataError


def test_marks_are_taken_off_and_images_sorted(tmp_path: Path) -> None:
    (tmp_path / "20.txt").write_text(
        "[/EN#1/people A man] in [/EN#2/clothing a hat] .\n[/EN#0/notvisual It] 's [/EN#3/people/other a man] !\n"
    )
    (tmp_path / "10.txt").write_text("Nothing marked , [ but this ] .\n")
    (tmp_path / ".hidden.txt").write_text("\n")
    (tmp_path / "README.md").write_text("\n")
    assert list(read_entities(tmp_path).items()) == [
        ("10.jpg", ["Nothing marked , [ but this ] ."]),
        ("20.jpg", ["A man in a hat .", "It 's a man !"]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A man .\n\n", r"1\.txt, line 2: the caption is empty"),
        ("[/EN#1/people ]\n", r"1\.txt, line 1: the caption is empty"),
        ("A man .\nA man in [/EN#2/clothing a hat .\n", r"1\.txt, line 2: a mark is malformed"),
        ("A man in [/EN#2/clothing] .\n", r"1\.txt, line 1: a mark is malformed"),
        ("", r"1\.txt: no captions in it\. Remove the file"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "1.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_entities(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A man .\n")
    with pytest.raises(DataError, match=r"a\.txt: there is no such folder"):
        read_entities(tmp_path / "a.txt")
