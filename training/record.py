"""What a run writes down while it goes on; in every process but the first it writes nothing."""

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from training.checkpoint import Progress, save_state
from training.evaluation.scores import DevScores
from training.events import Events
from training.run import Run
from training.rundir import RunDirectory
from training.schedule import BatchKind


class Recorder:
    """Metrics, events and the state of one run."""

    def __init__(self, directory: RunDirectory, run: Run, progress: Progress) -> None:
        self.directory = directory
        self._run = run
        self._progress = progress
        self._main = run.processes.main
        self._started = time.monotonic() - progress.seconds
        wanted = self._main and run.config.run.tensorboard
        self._events = Events(directory.events if wanted else None, progress.step)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()

    def step(self, kind: BatchKind, losses: Mapping[str, float], rate: float) -> None:
        """A step was taken."""
        self._progress.seconds = time.monotonic() - self._started
        self._log({"kind": kind, **losses, "learning_rate": rate, "seconds": round(self._progress.seconds, 3)})

    def evaluation(self, dev: DevScores) -> None:
        """The pairs that choose the step were scored."""
        values = {"dev": dev.spearman, "alignment": dev.alignment, "uniformity": dev.uniformity}
        # JSON has no NaN: the alignment of pairs of which none is true is left out.
        self._log({name: value for name, value in values.items() if math.isfinite(value)})

    def save(self) -> None:
        """Write the state to go on from."""
        if self._main:
            save_state(self.directory.path, self._run.savable, self._progress)

    def _log(self, values: Mapping[str, Any]) -> None:
        if self._main:
            record = {"step": self._progress.step, **values}
            self.directory.log(record)
            self._events.log(record)
