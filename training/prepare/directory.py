"""A folder of prepared data: whole or absent, with `prepared.json`, which says what it was made from and how."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.files import files_below, replaced_directory, sha256_of
from training.errors import DataError
from training.release import release

RECORD = "prepared.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What decides the bytes of a prepared folder."""

    kind: str
    """The published data set."""
    sources: tuple[tuple[str, Path], ...]
    """Files and folders that are read, each with what it is read as."""
    options: Mapping[str, Any]
    """Everything else, as JSON takes it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared folder that is there."""

    counts: Mapping[str, Any]
    """What was kept, and under `dropped` what was not, by reason."""
    already: bool
    """It was there before."""


def prepare(output: Path, request: Request, write: Callable[[Path], dict[str, Any]]) -> Prepared:
    """Make a folder and its record, unless it is there already.

    Args:
        output: the folder; it appears whole or not at all.
        request: what it is made from.
        write: fills a folder and returns the counts. The same request must give the same bytes.

    Raises:
        DataError: a source is missing, or `output` holds something else; nothing of the user's is ever deleted.
    """
    made_from = {
        "kind": request.kind,
        "sources": [{"role": role, **_source(path)} for role, path in request.sources],
        "options": dict(request.options),
    }
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        return Prepared(_check_present(output, made_from), already=True)
    with replaced_directory(output) as scratch:
        counts = write(scratch)
        digests = {name.as_posix(): sha256_of(scratch / name) for name in files_below(scratch)}
        record = {**made_from, "counts": counts, "sha256": digests, "mcse": release()}
        (scratch / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Prepared(counts, already=False)


def _check_present(output: Path, made_from: Mapping[str, Any]) -> Mapping[str, Any]:
    """The counts of the folder that is in the way, where it is the one that is asked for."""
    cure = "Give another --output, or delete it."
    try:
        record = json.loads((output / RECORD).read_bytes())
        counts: Mapping[str, Any] = record["counts"]
        digests = dict(record["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{output}: it is there already, without a readable {RECORD}. {cure}") from error
    for name in made_from:
        if _facts(record.get(name)) != _facts(made_from[name]):
            raise DataError(f"{output}: it is there already, and {RECORD} names other {name}. {cure}")
    for name, digest in digests.items():
        if not (output / name).is_file() or sha256_of(output / name) != digest:
            raise DataError(f"{output / name}: it is not as it was prepared. Delete the folder and prepare it again.")
    return counts


def _facts(value: Any) -> Any:
    """Without where sources lie: the same content elsewhere is the same source."""
    if not isinstance(value, list):
        return value
    return [{key: fact for key, fact in source.items() if key != "path"} for source in value]


def _source(path: Path) -> dict[str, Any]:
    """Size and digest of a file, or of all files below a folder."""
    if path.is_file():
        return {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
    if not path.is_dir():
        raise DataError(f"{path}: there is no such file or folder.")
    digest, total = hashlib.sha256(), 0
    names = files_below(path)
    for name in names:
        digest.update(f"{name.as_posix()}\t{sha256_of(path / name)}\n".encode())
        total += (path / name).stat().st_size
    return {"path": str(path), "files": len(names), "bytes": total, "sha256": digest.hexdigest()}
