"""Flickr30k Entities: a file for each image, a caption a line, with marks around what the image shows."""

import re
from pathlib import Path

from training.data.files import lines
from training.errors import DataError

_MARK = re.compile(r"\[/EN#[^\s\]]+ ([^\[\]]*)\]")


def read_entities(folder: Path) -> dict[str, list[str]]:
    """Captions without the marks; `123.txt` belongs to the image `123.jpg`. Images are sorted by file name.

    Raises:
        DataError: there is no such folder, no file or an empty one in it, an empty line, or a mark that does not end.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. Flickr30k Entities is a folder of IMAGE.txt files.")
    files = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
    captions = {f"{path.stem}.jpg": [_caption(path, number, line) for number, line in lines(path)] for path in files}
    for path in files:
        if not captions[f"{path.stem}.jpg"]:
            raise DataError(f"{path}: no captions in it. Remove the file.")
    return captions


def _caption(path: Path, number: int, line: str) -> str:
    caption = _MARK.sub(r"\1", line)
    if "[/EN#" in caption:
        raise DataError(f"{path}, line {number}: a mark is malformed. Expected such as [/EN#1/people A man].")
    if not caption.strip():
        raise DataError(f"{path}, line {number}: the caption is empty. Remove the line.")
    return " ".join(caption.split())
