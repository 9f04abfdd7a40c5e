import gzip
import json
from pathlib import Path

import pytest

from training.config import CaptionFormat
from training.data.captions import read_captions, read_ids
from training.errors import DataError

FLICKR = "b.jpg#0\tA dog .\na.jpg#0\tA cat , asleep .\nb.jpg#1\tA brown dog .\n"


def test_flickr_captions_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Flickr8k.token.txt"
    path.write_text(FLICKR)
    assert list(read_captions(path).items()) == [
        ("b.jpg", ["A dog .", "A brown dog ."]),
        ("a.jpg", ["A cat , asleep ."]),
    ]
    (tmp_path / "results_20130124.token").write_text(FLICKR)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(FLICKR.encode()))
    for name in ("results_20130124.token", "c.txt.gz"):
        assert read_captions(tmp_path / name) == read_captions(path, "flickr") == read_captions(path)


def test_plain_captions_are_numbered_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "flickr_random_captions.txt"
    path.write_text("A dog.\nA cat, #1 of its kind.\nA dog.\n")
    expected = [("0", ["A dog."]), ("1", ["A cat, #1 of its kind."]), ("2", ["A dog."])]
    assert list(read_captions(path).items()) == list(read_captions(path, "plain").items()) == expected


def test_a_format_that_is_named_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("A dog.\n")
    with pytest.raises(DataError, match=r"c\.txt, line 1: expected image\.jpg#number"):
        read_captions(tmp_path / "c.txt", "flickr")


def test_the_form_is_seen_by_looking(tmp_path: Path) -> None:
    entities, numbered = tmp_path / "Sentences", tmp_path / "flickr30k"
    entities.mkdir()
    (entities / "12.txt").write_text("[/EN#1/people A man] sits .\n")
    numbered.mkdir()
    (numbered / "train_images.txt").write_text("12.jpg\n")
    (numbered / "train.1.en").write_text("A man sits.\n")
    coco = {"images": [{"id": 1, "file_name": "12.jpg"}], "annotations": [{"image_id": 1, "caption": "A man sits"}]}
    (tmp_path / "captions.json").write_text(json.dumps(coco))
    assert read_captions(entities) == {"12.jpg": ["A man sits ."]}
    assert read_captions(numbered) == {"12.jpg": ["A man sits."]}
    assert read_captions(tmp_path / "captions.json") == {"12.jpg": ["A man sits"]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c.jpg\ta dog", r"t\.txt, line 4: expected image\.jpg#number, a tab and a caption"),
        ("c.jpg#1 a dog", r"t\.txt, line 4: expected"),
        ("c.jpg#x\ta dog", r"t\.txt, line 4: expected"),
        ("#1\ta dog", r"t\.txt, line 4: expected"),
        ("", r"t\.txt, line 4: expected"),
        ("c.jpg#1\t ", r"t\.txt, line 4: the caption is empty\. Remove the line"),
        ("b.jpg#1\tA dog", r"t\.txt, line 4: b\.jpg#1 is already in line 3\. Remove one"),
    ],
)
def test_a_bad_flickr_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """P34: bad data is refused with a line number."""
    (tmp_path / "t.txt").write_text(f"{FLICKR}{line}\n")
    with pytest.raises(DataError, match=message):
        read_captions(tmp_path / "t.txt")


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        ("A dog.\n\nA cat.\n", "auto", r"t\.txt, line 2: the caption is empty\. Remove it, and the features of its"),
        ("A dog.\nb.jpg#1\tA cat.\n", "auto", r"t\.txt, line 2: image, number and tab, but the first line has none"),
        ("", "auto", r"t\.txt: no captions in it"),
        ("", "flickr", r"t\.txt: no captions in it"),
    ],
)
def test_a_bad_plain_line_is_named(tmp_path: Path, content: str, format: CaptionFormat, message: str) -> None:
    (tmp_path / "t.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_captions(tmp_path / "t.txt", format)


@pytest.mark.parametrize("format", ["auto", "plain", "flickr", "entities", "coco"])
def test_captions_that_are_missing_are_named(tmp_path: Path, format: CaptionFormat) -> None:
    with pytest.raises(DataError, match=r"t\.txt: there is no such (file|folder)"):
        read_captions(tmp_path / "t.txt", format)


def test_an_exact_repetition_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a.jpg#0\tA dog .\na.jpg#1\tA dog .\n")
    assert read_captions(tmp_path / "t.txt") == {"a.jpg": ["A dog .", "A dog ."]}


def test_ids_are_read_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("b.jpg\r\n a.jpg \n")
    assert read_ids(tmp_path / "ids.txt") == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.jpg\n\nb.jpg\n", r"ids\.txt, line 2: the line is empty"),
        ("a.jpg\nb.jpg\na.jpg\n", r"ids\.txt, line 3: a\.jpg is listed twice, first in line 1"),
    ],
)
def test_a_bad_list_of_ids_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "ids.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_ids(tmp_path / "ids.txt")


@pytest.mark.data
def test_the_real_flickr8k_has_five_captions_of_each_image(data: Path) -> None:
    captions = read_captions(data / "flickr8k" / "Flickr8k.token.txt")
    assert len(captions) == 8_092
    assert {len(texts) for texts in captions.values()} == {5}
    train = read_ids(data / "flickr8k" / "Flickr_8k.trainImages.txt")
    assert len(train) == 6_000
    assert set(train) <= captions.keys()
    assert sum(len(texts) - len(set(texts)) for texts in captions.values()) == 10  # repetitions in the release
