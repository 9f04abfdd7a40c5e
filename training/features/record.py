"""What stands beside a feature file: how it was made, its digest, and the pictures that it lacks."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from models.files import sha256_of, write_durably
from models.images import ImageEncoder

Dtype = Literal["float16", "float32"]

_PACKAGES = ("pillow", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class Outcome:
    """An output that is there."""

    features: int
    """Pictures with features."""
    width: int
    skipped: int
    """Pictures that could not be read."""
    already: bool
    """It was there before."""


def skipped_path(output: Path) -> Path:
    """Where the pictures without features are listed."""
    return output.with_name(f"{output.name}.skipped.txt")


def record_path(output: Path) -> Path:
    """Where it is written how the features were made."""
    return output.with_name(f"{output.name}.json")


def versions() -> dict[str, str]:
    """Of the packages that features depend on."""
    return {name: version(name) for name in _PACKAGES}


def write_skipped(output: Path, skipped: dict[str, str]) -> None:
    """Id, tab, reason, a line for each picture; no file where there are none."""
    path = skipped_path(output)
    if skipped:
        write_durably(path, "".join(f"{name}\t{reason}\n" for name, reason in skipped.items()).encode())
    else:
        path.unlink(missing_ok=True)


def write_record(output: Path, key: str, encoder: ImageEncoder, *, dtype: Dtype, listed: int, skipped: int) -> Outcome:
    """Write it last: an output with its record beside it is finished."""
    record = {
        "pictures": listed,
        "features": listed - skipped,
        "skipped": skipped,
        "width": encoder.width,
        "dtype": dtype,
        "encoder": encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "layer": encoder.layer,
        "preprocessing": encoder.preprocessing,
        "exif_orientation": "not applied",
        "settings": key,
        "sha256": sha256_of(output),
        "versions": versions(),
    }
    write_durably(record_path(output), (json.dumps(record, indent=2) + "\n").encode())
    return Outcome(listed - skipped, encoder.width, skipped, already=False)


def finished(output: Path, key: str) -> Outcome | None:
    """The outcome, where the output is there, whole, and was made with the settings of this key."""
    try:
        record = json.loads(record_path(output).read_bytes())
        if record["settings"] != key or record["sha256"] != sha256_of(output):
            return None
        return Outcome(record["features"], record["width"], record["skipped"], already=True)
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None
