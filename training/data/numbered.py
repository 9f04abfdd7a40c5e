"""Flickr30k captions as the Multi30k release has them: file K holds the K-th caption of each image of a list."""

from pathlib import Path

from training.data.files import lines
from training.errors import DataError

_IDS = "_images.txt"


def is_numbered(folder: Path) -> bool:
    """Whether a folder looks like it: `train_images.txt`, `train.1.en.gz`, `train.2.en.gz` and so on."""
    return any(folder.glob(f"*{_IDS}"))


def read_numbered(folder: Path) -> dict[str, list[str]]:
    """Captions of each image, all lists of the folder one after the other.

    Raises:
        DataError: a list has no captions, a file has not one line for each image, a line is empty or an image twice.
    """
    captions: dict[str, list[str]] = {}
    for listed in sorted(folder.glob(f"*{_IDS}")):
        name = listed.name.removesuffix(_IDS)
        files = sorted([*folder.glob(f"{name}.[1-9].en.gz"), *folder.glob(f"{name}.[1-9].en")])
        if not files:
            raise DataError(f"{listed}: expected its captions beside it, in {name}.1.en.gz and so on.")
        images = _filled(listed)
        columns = [_filled(path) for path in files]
        for path, column in zip(files, columns, strict=True):
            if len(column) != len(images):
                raise DataError(f"{path}: {len(column)} captions, but {listed.name} names {len(images)} images.")
        for number, (image, *texts) in enumerate(zip(images, *columns, strict=True), start=1):
            if image in captions:
                raise DataError(f"{listed}, line {number}: {image} is listed twice. Remove it, and its captions.")
            captions[image] = texts
    return captions


def _filled(path: Path) -> list[str]:
    texts = []
    for number, line in lines(path):
        if not line.strip():
            raise DataError(f"{path}, line {number}: the line is empty. Remove it, here and in the files beside it.")
        texts.append(line.strip())
    return texts
