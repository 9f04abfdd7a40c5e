"""COCO's caption JSON: a list of images and a list of annotations, joined by the image's number."""

import json
from pathlib import Path
from typing import Any

from training.data.files import opened
from training.errors import DataError

_MOST_BYTES = 512 * 1024 * 1024  # COCO's own are a fifth of it


def read_coco(path: Path) -> dict[str, list[str]]:
    """Captions by the image's `file_name`, in the order of `images`; captions in the order of `annotations`.

    White space inside a caption, line ends too, becomes one space. Images without a caption are left out.

    Raises:
        DataError: the file is not such JSON, or an annotation is empty, there twice or of an unknown image.
    """
    content = _load(path)
    name_of = _names(path, _records(path, content, "images"))
    captions: dict[str, list[str]] = {name: [] for name in name_of.values()}
    seen = set()
    for place, record in enumerate(_records(path, content, "annotations"), start=1):
        where = f"{path}, annotation {place}"
        image, caption = record.get("image_id"), record.get("caption")
        if not isinstance(image, int) or not isinstance(caption, str):
            raise DataError(f"{where}: expected image_id, a number, and caption, a string.")
        if image not in name_of:
            raise DataError(f"{where}: its image {image} is not among the images. Fetch the file again.")
        if not caption.strip():
            raise DataError(f"{where}: the caption of {name_of[image]} is empty. Remove the annotation.")
        number = str(record.get("id", f"place {place}"))
        if number in seen:
            raise DataError(f"{where}: its id {number} is there twice. Remove one.")
        seen.add(number)
        captions[name_of[image]].append(" ".join(caption.split()))
    return {name: texts for name, texts in captions.items() if texts}


def _load(path: Path) -> Any:
    with opened(path) as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise DataError(f"{path}: over {_MOST_BYTES} bytes of JSON. Is this a file of captions?")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}). Fetch the file again.") from error


def _records(path: Path, content: Any, key: str) -> list[dict[str, Any]]:
    records = content.get(key) if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path}: expected COCO captions, an object with the lists images and annotations.")
    return records


def _names(path: Path, images: list[dict[str, Any]]) -> dict[int, str]:
    names: dict[int, str] = {}
    known = set()
    for place, record in enumerate(images, start=1):
        number, name = record.get("id"), record.get("file_name")
        if not isinstance(number, int) or not isinstance(name, str):
            raise DataError(f"{path}, image {place}: expected id, a number, and file_name, a string.")
        if number in names or name in known:
            raise DataError(f"{path}, image {place}: {name} or its id {number} is there twice. Remove one.")
        names[number] = name
        known.add(name)
    return names
