"""Read a run's directory back, also while the run is still going on or after it was killed."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.manifest import CARD
from training.errors import TrainingError
from training.evaluation.sts import STS_DEV

_GEOMETRY = ("alignment", "uniformity")
_TOLD_WITH_SCORES = ("steps", "kept_step", "dev")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run was asked for and what it measured so far."""

    path: Path
    config: dict[str, Any]
    """Every setting, as `config.json` has it; runs of other releases may lack some"""
    environment: dict[str, Any]
    """Versions, code and machine; empty where they were not recorded"""
    steps: list[dict[str, Any]]
    """A record per optimizer step: losses, learning rate, seconds"""
    evaluations: list[dict[str, Any]]
    """A record per evaluation on the pairs that choose the step"""
    scores: dict[str, Any]
    """The final scores; empty before the run is finished"""
    finished: bool
    """Whether its model was exported"""

    @property
    def seed(self) -> int | None:
        """Of `run.seed`."""
        seed: int | None = self.setting("run", "seed")
        return seed

    @property
    def dev_name(self) -> str:
        """What chose the step: STS-B dev, or the run's own pairs."""
        return self.setting("evaluation", "dev") or "STS-B dev"

    @property
    def steps_done(self) -> int:
        """Optimizer steps in the record."""
        return int(self.steps[-1]["step"]) if self.steps else 0

    @property
    def seconds(self) -> float | None:
        """Wall time of training."""
        seconds = self.steps[-1].get("seconds") if self.steps else None
        return float(seconds) if seconds is not None else None

    def setting(self, table: str, name: str) -> Any:
        """One setting; None where it is unset or unknown."""
        return self.config.get(table, {}).get(name)


def read_run(path: Path) -> RunRecord:
    """Read the directory that `mcse train` writes.

    Raises:
        TrainingError: it is no run, or a file of it is damaged.
    """
    config = path / "config.json"
    if not config.is_file():
        raise TrainingError(f"{path}: no run is there, config.json is missing. Name a directory that mcse train wrote.")
    settings = read_json(config)
    if not all(isinstance(table, dict) for table in settings.values()):  # for instance that of a network
        raise TrainingError(f"{config}: not the settings of a run. Name a directory that mcse train wrote.")
    records = list(_records(path / "metrics.jsonl"))
    return RunRecord(
        path=path,
        config=settings,
        environment=_read_if_there(path / "environment.json"),
        steps=[record for record in records if "loss" in record],
        evaluations=[record for record in records if "dev" in record],
        scores=_final_scores(path, records),
        finished=(path / "bundle").is_dir(),
    )


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds one object.

    Raises:
        TrainingError: it cannot be read as one.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path}: not JSON ({error}). Restore the file, or start the run again.") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: expected a JSON object. Restore the file, or start the run again.")
    return content


def measures(scores: Mapping[str, Any]) -> dict[str, float]:
    """Final scores as one flat mapping, in the order of a table: the STS sets, `average`, and what else there is.

    What is no number, as the alignment of a set without a true pair, is left out.
    """
    if not scores:
        return {}
    found: dict[str, float] = {**scores["sts"]}
    if "sts_average" in scores:
        found["average"] = scores["sts_average"]
    if "without_captions" in scores:
        found["average without captions"] = scores["without_captions"]["average"]
    for group, name in (("retrieval", "text-to-image"), ("image_to_text", "image-to-text")):
        found |= {f"{name} {rank}": value for rank, value in scores.get(group, {}).items()}
    found |= scores.get("transfer", {})
    told = {"transfer_average": "transfer average", "dev": "dev"}
    found |= {name: scores[key] for key, name in told.items() if key in scores}
    geometry = scores.get("geometry", {}).get(STS_DEV, {}).get("whole", scores)
    found |= {name: geometry[name] for name in _GEOMETRY if name in geometry}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def scores_of_bundle(path: Path) -> dict[str, Any]:
    """The scores in a bundle's card; empty where there are none."""
    card = _read_if_there(path / CARD)
    training = card.get("training", {})
    return {**card.get("scores", {}), **{name: training[name] for name in _TOLD_WITH_SCORES if name in training}}


def _final_scores(path: Path, records: list[dict[str, Any]]) -> dict[str, Any]:
    """With alignment and uniformity of the kept step, for where the model's own were not scored."""
    scores = _read_if_there(path / "scores.json") or scores_of_bundle(path / "bundle")
    if not scores:
        return {}
    kept = next((r for r in records if r["step"] == scores.get("kept_step") and "alignment" in r), {})
    return {**{name: kept[name] for name in _GEOMETRY if name in kept}, **scores}


def _read_if_there(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    # A run that goes on, or was killed, can leave half a line at the end.
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    for number, line in enumerate(whole.split("\n") if whole else [], start=1):
        try:
            record = json.loads(line)
            record["step"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path}, line {number}: no record of a step. Restore the file, or start the run again."
            ) from error
        yield record
