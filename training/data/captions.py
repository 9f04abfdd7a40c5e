"""Captions of images, in the forms in which they are published, and lists of image ids."""

import re
from itertools import islice
from pathlib import Path

from training.config import CaptionFormat
from training.data.coco import read_coco
from training.data.entities import read_entities
from training.data.files import form, lines
from training.data.numbered import is_numbered, read_numbered
from training.errors import DataError

_FLICKR = re.compile(r"(?P<image>[^\t]+)#(?P<number>[0-9]+)\t(?P<caption>.*)")


def read_captions(path: Path, format: CaptionFormat = "auto") -> dict[str, list[str]]:
    """Captions of each image by its id, images and captions in the order of the file.

    Args:
        path: the file, plain or gzip, or the folder.
        format: `plain` has a caption a line and ids "0", "1" and so on, as the original's `flickr_random_captions.txt`;
            `flickr` has lines `image.jpg#number<TAB>caption`, as Flickr8k and Flickr30k; `entities` is a folder of
            Flickr30k Entities sentences, or of the Multi30k release of Flickr30k (`train_images.txt`, `train.1.en.gz`
            and so on); `coco` is COCO's JSON. `auto` looks which of them it is.

    Raises:
        DataError: something is missing, malformed, empty or there twice; file and line are told.
    """
    captions = _read(path, _detect(path) if format == "auto" else format)
    if not captions:
        raise DataError(f"{path}: no captions in it.")
    return captions


def read_ids(path: Path) -> list[str]:
    """Image ids, one a line.

    Raises:
        DataError: the file cannot be read, a line is empty, or an id is there twice.
    """
    line_of: dict[str, int] = {}
    for number, line in lines(path):
        name = line.strip()
        if not name:
            raise DataError(f"{path}, line {number}: the line is empty. Remove it.")
        if name in line_of:
            raise DataError(f"{path}, line {number}: {name} is listed twice, first in line {line_of[name]}. Remove it.")
        line_of[name] = number
    return list(line_of)


def _detect(path: Path) -> CaptionFormat:
    if path.is_dir():
        return "entities"
    if form(path) == ".json":
        return "coco"
    first = [line for _, line in islice(lines(path), 1)]
    return "flickr" if first and _FLICKR.fullmatch(first[0]) else "plain"


def _read(path: Path, format: CaptionFormat) -> dict[str, list[str]]:
    if format == "coco":
        return read_coco(path)
    if format == "entities":
        return read_numbered(path) if is_numbered(path) else read_entities(path)
    return _read_flickr(path) if format == "flickr" else _read_plain(path)


def _read_flickr(path: Path) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    line_of: dict[tuple[str, str], int] = {}
    for number, line in lines(path):
        found = _FLICKR.fullmatch(line)
        if found is None:
            raise DataError(f"{path}, line {number}: expected image.jpg#number, a tab and a caption.")
        image, caption = found["image"], found["caption"].strip()
        if not caption:
            raise DataError(f"{path}, line {number}: the caption is empty. Remove the line.")
        before = line_of.setdefault((image, found["number"]), number)
        if before != number:
            raise DataError(
                f"{path}, line {number}: {image}#{found['number']} is already in line {before}. Remove one."
            )
        captions.setdefault(image, []).append(caption)
    return captions


def _read_plain(path: Path) -> dict[str, list[str]]:
    captions = {}
    for number, line in lines(path):
        if not line.strip():
            raise DataError(f"{path}, line {number}: the caption is empty. Remove it, and the features of its image.")
        if _FLICKR.fullmatch(line):
            raise DataError(f"{path}, line {number}: image, number and tab, but the first line has none. Correct it.")
        captions[str(number - 1)] = [line.strip()]
    return captions
