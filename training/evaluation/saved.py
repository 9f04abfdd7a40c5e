"""Scores on disk: what `mcse evaluate --output` writes, and reads back to compare with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.files import write_durably
from training.errors import DataError
from training.evaluation.figure import draw

FILE = "scores.json"


def write_scores(directory: Path, report: Mapping[str, Any], base: Mapping[str, Any] | None) -> None:
    """Write `scores.json`, and `scores.svg` with the base beside it where there is one.

    Args:
        directory: made where it is missing.
        report: what `read_scores` gives back.
        base: another such report.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_durably(directory / FILE, json.dumps(report, indent=2).encode() + b"\n")
    picture = draw([report] if base is None else [base, report])
    if picture is not None:
        write_durably(directory / "scores.svg", picture)


def read_scores(path: Path) -> dict[str, Any]:
    """Scores that were written before: the file, or the directory it is in.

    Raises:
        DataError: it is not there, or holds something else.
    """
    file = path / FILE if path.is_dir() else path
    try:
        scores = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}). Make it with mcse evaluate --output.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON ({error}). Make it again with mcse evaluate --output.") from error
    if not (isinstance(scores, dict) and isinstance(scores.get("sts"), dict)):
        raise DataError(f"{file}: expected an object with the scores under sts. Make it with mcse evaluate --output.")
    return scores
