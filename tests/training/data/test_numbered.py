import gzip
from pathlib import Path

import pytest

from training.data.captions import read_captions
from training.data.numbered import read_numbered
from training.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two lists of images; the captions of one are plain, of the other gzip."""
    (tmp_path / "train_images.txt").write_text("b.jpg\na.jpg\n")
    (tmp_path / "train.1.en.gz").write_bytes(gzip.compress(b"A brown dog runs.\nA sleeping cat.\n"))
    (tmp_path / "train.2.en.gz").write_bytes(gzip.compress(b"A dog.\nA cat.\n"))
    (tmp_path / "val_images.txt").write_text("c.jpg\n")
    (tmp_path / "val.1.en").write_text("A cow.\n")
    return tmp_path


def test_file_k_holds_the_k_th_caption_of_each_image(folder: Path) -> None:
    assert list(read_numbered(folder).items()) == [
        ("b.jpg", ["A brown dog runs.", "A dog."]),
        ("a.jpg", ["A sleeping cat.", "A cat."]),
        ("c.jpg", ["A cow."]),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("val.2.en", "A cow.\nA calf.\n", r"val\.2\.en: 2 captions, but val_images\.txt names 1 images"),
        ("val.1.en", "\n", r"val\.1\.en, line 1: the line is empty"),
        ("val_images.txt", "a.jpg\n", r"val_images\.txt, line 1: a\.jpg is listed twice"),
        ("test_images.txt", "d.jpg\n", r"test_images\.txt: expected its captions beside it, in test\.1\.en\.gz"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_numbered(folder)


@pytest.mark.data
def test_the_real_flickr30k_has_five_captions_of_each_image(data: Path) -> None:
    captions = read_captions(data / "captions" / "flickr30k")
    assert len(captions) == 31_014
    assert {len(texts) for texts in captions.values()} == {5}
    assert captions["1000092795.jpg"][0].startswith("Two young guys with shaggy hair")
