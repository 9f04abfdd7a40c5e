"""What a bundle says of itself, and the digests that prove it whole. Needs no torch, so a service starts quickly."""

import json
import os
from pathlib import Path
from typing import Any

from models.errors import CheckpointError
from models.files import files_below, sha256_of, write_json

CARD = "mcse.json"
HEADS = "heads.safetensors"
MANIFEST = "manifest.json"
FORMAT = 1
MOST_JSON_BYTES = 32 * 1024 * 1024
CURE = "Restore the directory from where it came, or export it again with `mcse train`."


def write_manifest(directory: Path) -> None:
    """Record the SHA-256 of every file of a bundle."""
    digests = {name: sha256_of(directory / name) for name in _content(directory)}
    write_json(directory / MANIFEST, {"format": FORMAT, "sha256": digests})


def verify_manifest(directory: Path) -> None:
    """Check every file of a bundle against its digest.

    Raises:
        CheckpointError: a file is missing, added, changed or unreadable; the message names it.
    """
    digests = read_json(directory / MANIFEST).get("sha256")
    if not isinstance(digests, dict):
        raise CheckpointError(f"{directory / MANIFEST}: no digests in it. {CURE}")
    found = set(_content(directory))
    for name in sorted(digests.keys() - found):
        raise CheckpointError(f"{directory / name}: the manifest lists this file, but it is missing. {CURE}")
    for name in sorted(found - digests.keys()):
        raise CheckpointError(f"{directory / name}: the manifest does not list this file. Remove it.")
    for name in sorted(found):
        if _digest(directory / name) != digests[name]:
            raise CheckpointError(f"{directory / name}: its SHA-256 is not the manifest's. {CURE}")


def read_card(directory: Path) -> dict[str, Any]:
    """The content of `mcse.json`.

    Raises:
        CheckpointError: it cannot be read, or was written by a newer release.
    """
    card = read_json(directory / CARD)
    if card.get("format") != FORMAT:
        raise CheckpointError(
            f"{directory / CARD}: its format is {card.get('format')!r}, this release reads {FORMAT}. "
            "Use the release of mcse that wrote it."
        )
    return card


def read_json(path: Path, *, most_bytes: int = MOST_JSON_BYTES) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint.

    Raises:
        CheckpointError: the file is missing or holds something else.
    """
    content = read_value(path, most_bytes=most_bytes)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(content).__name__}. {CURE}")
    return content


def read_value(path: Path, *, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Any JSON from a file of a checkpoint.

    Raises:
        CheckpointError: the file is missing, huge or holds something else.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise CheckpointError(f"{path}: over {most_bytes} bytes, which no settings are. {CURE}")
        return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({type(error).__name__}). {CURE}") from error


def require_file(path: Path) -> None:
    """Refuse what is no file, nor a link to one: a pipe would keep us waiting, and a device never ends.

    Raises:
        CheckpointError: it is something else, or missing.
    """
    if not os.path.exists(path):  # unlike pathlib's it also says so of a name that no file can have
        raise CheckpointError(f"{path}: the file is missing. {CURE}")
    if not path.is_file():
        raise CheckpointError(f"{path}: it is no file. {CURE}")


def _content(directory: Path) -> list[str]:
    """Every file but the manifest, and but hidden ones, which no loader reads and desktops leave behind."""
    names = [name.as_posix() for name in files_below(directory) if not name.name.startswith(".")]
    return [name for name in names if name != MANIFEST]


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}). Let this user read it.") from error
