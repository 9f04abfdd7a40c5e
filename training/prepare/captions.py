"""`mcse prepare flickr30k|flickr8k|coco`: published captions into the two files of a run, captions and image ids."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.data.captions import read_captions, read_ids
from training.errors import DataError
from training.prepare.directory import Prepared, Request, prepare

CAPTIONS = "captions.token.txt"
IMAGES = "images.txt"

_FIRST = 5  # the original draws from an image's first five; some COCO images have six or seven

_EXCLUDED = "excluded"
_PICTURES = (".jpg", ".jpeg", ".png")
_NUMBER = re.compile(r"(?:COCO_[a-z]+[0-9]{4}_)?0*([0-9]+)")

Kind = Literal["flickr30k", "flickr8k", "coco"]
Captions = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class CaptionOptions:
    """Which images, and which of their captions."""

    splits: tuple[Path, ...] = ()
    """Lists of image ids to keep, in this order; none keeps all, in the order of the source."""
    exclude: Path | None = None
    """List of image ids to leave out. Flickr8k and Flickr30k name the same photograph by the same number."""
    captions: Literal["one", "all"] = "one"
    """`one` draws a caption per image, as the paper does."""
    seed: int = 0
    """Of the drawing."""


def prepare_captions(kind: Kind, source: Path, output: Path, options: CaptionOptions) -> Prepared:
    """Write `captions.token.txt` and `images.txt`.

    Which caption is drawn follows from seed and image id alone: it is the same in every subset, and in every published
    form that keeps the order of an image's captions.

    Raises:
        DataError: a file is missing or malformed, a listed image has no caption, or `output` is in the way.
    """
    lists = [("split", path) for path in options.splits]
    if options.exclude is not None:
        lists.append(("exclude", options.exclude))
    drawn = {"seed": options.seed} if options.captions == "one" else {}
    request = Request(kind, (("captions", source), *lists), {"captions": options.captions, **drawn})
    return prepare(output, request, lambda folder: _write(folder, kind, source, options))


def _write(folder: Path, kind: Kind, source: Path, options: CaptionOptions) -> dict[str, Any]:
    captions = _read(kind, source)
    listed = _listed(captions, source, options.splits) if options.splits else list(captions)
    excluded = _numbers(read_ids(options.exclude)) if options.exclude is not None else set[str]()
    dropped = Counter({"not listed": len(captions) - len(listed)})
    images, lines = list[str](), list[str]()
    for image in listed:
        if (reason := _reason(image, excluded)) is not None:
            dropped[reason] += 1
            continue
        images.append(image)
        lines += [f"{image}#{index}\t{captions[image][index]}" for index in _chosen(image, captions[image], options)]
    if options.exclude is not None and not dropped[_EXCLUDED]:
        raise DataError(f"{options.exclude}: no image in it is among the captions. Is it the list for this data set?")
    if not images:
        raise DataError(f"{source}: every image is left out. Give other lists.")
    _write_lines(folder / CAPTIONS, lines)
    _write_lines(folder / IMAGES, images)
    return {"images": len(images), "captions": len(lines), "dropped": {k: n for k, n in dropped.items() if n}}


def _reason(image: str, excluded: set[str]) -> str | None:
    """Why an image is dropped."""
    if _number(image) in excluded:
        return _EXCLUDED
    # Flickr8k has captions for 2258277193_586949ec62.jpg.1, of which there never was a file.
    return None if image.lower().endswith(_PICTURES) else "no picture of this name"


def _read(kind: Kind, source: Path) -> Captions:
    if kind == "coco":
        return read_captions(source, "coco")
    return read_captions(source, "entities" if source.is_dir() else "flickr")


def _listed(captions: Captions, source: Path, splits: Iterable[Path]) -> list[str]:
    listed: dict[str, None] = {}
    for split in splits:
        for line, name in enumerate(read_ids(split), start=1):
            image = name if name in captions else _with_ending(name)
            if image not in captions:
                raise DataError(f"{split}, line {line}: {source} has no caption for the image {name}. Remove the line.")
            if image in listed:
                raise DataError(f"{split}, line {line}: the image {name} is listed twice. Remove the line.")
            listed[image] = None
    return list(listed)


def _chosen(image: str, captions: list[str], options: CaptionOptions) -> Iterable[int]:
    if options.captions == "all":
        return range(len(captions))
    digest = hashlib.sha256(f"{options.seed}\t{image}".encode()).digest()
    return [int.from_bytes(digest[:8]) % min(len(captions), _FIRST)]


def _with_ending(image: str) -> str:
    """The lists of Flickr30k Entities name images without it; their files, and all other lists, have it."""
    return image if "." in image else f"{image}.jpg"


def _numbers(images: Iterable[str]) -> set[str]:
    return {_number(image) for image in images}


def _number(image: str) -> str:
    """What names a photograph in every edition of a data set, whatever stands around it in the file name."""
    found = _NUMBER.match(image)
    return found[1] if found is not None else image


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
