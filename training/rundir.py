"""The directory of a run: what it was asked for, what it measured, where it stands, what it made.

`config.json`: every setting; `environment.json`: versions and machine; `metrics.jsonl`: one object a step or
evaluation; `state.pt` and `best.safetensors`: see `training.checkpoint`; `scores.json`: the results; `bundle/`:
the model.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.files import write_durably
from training.checkpoint import STATE
from training.config import TrainConfig
from training.errors import TrainingError


def changed_settings(before: Mapping[str, Any], config: TrainConfig) -> list[str]:
    """Names of the settings that are not as a run's `config.json` has them."""
    now = json.loads(json.dumps(config.to_dict()))
    return [
        f"{table}.{name}"
        for table in sorted({*before, *now})
        for name in sorted({*before.get(table, {}), *now.get(table, {})})
        if before.get(table, {}).get(name) != now.get(table, {}).get(name)
    ]


class RunDirectory:
    """Writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bundle = path / "bundle"
        self.scores = path / "scores.json"
        self.events = path / "events"
        self._config = path / "config.json"
        self._metrics = path / "metrics.jsonl"

    def prepare(self, config: TrainConfig, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Make the directory for a new run, or check that the old one can go on with these settings.

        Args:
            config: the run's settings.
            facts: what `environment.json` shall say.
            resume: whether the run is there already.

        Raises:
            TrainingError: it belongs to another run, cannot be written, or there is nothing to resume.
        """
        if resume:
            self._check_same(config)
            return
        if (self.path / STATE).exists() or self.bundle.exists():
            raise TrainingError(
                f"{self.path}: a run is there already. Go on with it by --resume, or give another --output."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_durably(self._config, json.dumps(config.to_dict(), indent=2).encode() + b"\n")
            write_durably(self.path / "environment.json", json.dumps(facts, indent=2).encode() + b"\n")
            self._metrics.write_text("")
        except OSError as error:
            raise TrainingError(f"{self.path}: cannot be written ({error.strerror}). Give another --output.") from error

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record to `metrics.jsonl`.

        Raises:
            TrainingError: it cannot be written.
        """
        try:
            with self._metrics.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{self._metrics}: cannot be written ({error.strerror}). Make room and go on with --resume."
            ) from error

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Write the results of a finished run."""
        write_durably(self.scores, json.dumps(scores, indent=2).encode() + b"\n")

    def forget_after(self, step: int) -> None:
        """Drop records of steps that a resumed run will take again."""
        lines = self._metrics.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]  # a killed run can leave half a line
        kept = [line for line in whole if json.loads(line)["step"] <= step]
        write_durably(self._metrics, "".join(kept).encode())

    def _check_same(self, config: TrainConfig) -> None:
        if not (self.path / STATE).exists() or not self._config.exists():
            raise TrainingError(f"{self.path}: nothing to resume. Start the run without --resume.")
        if changed := changed_settings(json.loads(self._config.read_bytes()), config):
            raise TrainingError(
                f"{self.path}: the run was started with other settings ({', '.join(changed)}). "
                "Put them back, or start a new run in another --output."
            )
