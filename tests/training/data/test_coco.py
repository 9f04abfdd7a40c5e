import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from training.data.captions import read_captions
from training.data.coco import read_coco
from training.errors import DataError

IMAGES = [{"id": 9, "file_name": "b.jpg"}, {"id": 4, "file_name": "a.jpg"}, {"id": 5, "file_name": "none.jpg"}]
ANNOTATIONS = [
    {"id": 1, "image_id": 4, "caption": "A cat."},
    {"id": 2, "image_id": 9, "caption": " A dog\nruns. "},
    {"id": 3, "image_id": 4, "caption": "A sleeping cat."},
]


def written(folder: Path, **changes: Any) -> Path:
    content = {"info": {}, "images": IMAGES, "annotations": ANNOTATIONS} | changes
    (folder / "captions.json").write_text(json.dumps(content))
    return folder / "captions.json"


def test_images_keep_their_order_and_one_without_captions_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert list(read_coco(path).items()) == [("b.jpg", ["A dog runs."]), ("a.jpg", ["A cat.", "A sleeping cat."])]
    (tmp_path / "captions.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_captions(tmp_path / "captions.json.gz") == read_coco(path)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"image_id": 4, "caption": " \n"}, r"annotation 4: the caption of a\.jpg is empty"),
        ({"image_id": 7, "caption": "A cow."}, "annotation 4: its image 7 is not among the images"),
        ({"image_id": 4}, "annotation 4: expected image_id"),
        ({"image_id": [4], "caption": "A cow."}, "annotation 4: expected image_id"),
        ({"id": 2, "image_id": 4, "caption": "A cow."}, "annotation 4: its id 2 is there twice"),
    ],
)
def test_a_bad_annotation_is_named_with_its_place(tmp_path: Path, annotation: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"captions\.json, {message}"):
        read_coco(written(tmp_path, annotations=[*ANNOTATIONS, annotation]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"id": 4, "file_name": "c.jpg"}, r"image 4: c\.jpg or its id 4 is there twice"),
        ({"id": 6, "file_name": "a.jpg"}, r"image 4: a\.jpg or its id 6 is there twice"),
        ({"id": "6", "file_name": "c.jpg"}, "image 4: expected id, a number"),
        ({"id": 6}, "image 4: expected id, a number, and file_name"),
    ],
)
def test_a_bad_image_is_named_with_its_place(tmp_path: Path, image: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"captions\.json, {message}"):
        read_coco(written(tmp_path, images=[*IMAGES, image]))


@pytest.mark.parametrize("changes", [{"images": None}, {"annotations": {"1": 2}}, {"annotations": ["A cow."]}])
def test_json_of_another_form_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"captions\.json: expected COCO captions"):
        read_coco(written(tmp_path, **changes))


@pytest.mark.parametrize(
    "content", [b"", b'{"images": [', b"[]\xff", b"[" * 200_000], ids=["empty", "cut", "utf", "deep"]
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "captions.json").write_bytes(content)
    with pytest.raises(DataError, match=r"captions\.json: not JSON"):
        read_coco(tmp_path / "captions.json")


@pytest.mark.data
def test_the_real_coco_captions_are_read_with_ids_of_the_right_split_pitfall_1(data: Path) -> None:
    """Pitfall 1: the original builds file names of another split; here they are the ones that COCO states."""
    captions = read_captions(data / "captions" / "coco-val2017" / "captions_val2017.json")
    assert len(captions) == 5_000
    assert sum(map(len, captions.values())) == 25_014
    assert captions["000000397133.jpg"][0] == "A man is in a kitchen making pizzas."
