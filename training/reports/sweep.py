"""Run every arm and seed of a sweep, one after another; what is finished stays, what stopped goes on."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import CheckpointError
from training.checkpoint import STATE
from training.errors import ConfigError, DataError, TrainingError
from training.processes import Processes
from training.progress import Display
from training.reports.plan import PlannedRun, Sweep
from training.reports.report import write_report
from training.reports.run import read_json
from training.reports.summary import write_summary
from training.rundir import changed_settings
from training.train import train

_RUN_FAILS = (CheckpointError, ConfigError, DataError, TrainingError, OSError)


@dataclass(slots=True)
class Outcome:
    """How a sweep ended."""

    failed: dict[str, str] = field(default_factory=dict)
    """Runs that could not be finished, and why"""
    interrupted: bool = False
    """Whether it was stopped before its last run"""


def run_sweep(sweep: Sweep, *, output: Path, data: Path, display: Display) -> Outcome:
    """Train what is not finished yet, and draw table and figures after each run.

    Args:
        sweep: the runs.
        output: their directory; a run is in `<arm>/seed-<n>`.
        data: the folder of training and evaluation data.
        display: shows progress.

    Returns:
        The outcome; a run that fails does not keep the others from running.

    Raises:
        TrainingError: a run is there with other settings, or another process works in `output`; nothing was trained.
    """
    if Processes.join().world > 1:
        raise TrainingError("A sweep runs in one process. Start each run by itself where it shall have several.")
    outcome = Outcome()
    with _claimed(output):
        _check_settings(sweep, output)
        for number, run in enumerate(sweep.runs, start=1):
            if (output / run.name / "bundle").is_dir():
                continue
            display.console.print(f"{run.name}: run {number} of {len(sweep.runs)}")
            _one(run, output / run.name, data, display, outcome)
            write_summary(sweep, output, outcome.failed)
            if outcome.interrupted:
                break
        else:
            write_summary(sweep, output, outcome.failed)
    return outcome


def redraw(sweep: Sweep, output: Path) -> None:
    """Draw table and figures again from the runs that are there.

    Raises:
        TrainingError: a run is there with other settings.
    """
    _check_settings(sweep, output)
    write_summary(sweep, output, {})


def _one(run: PlannedRun, directory: Path, data: Path, display: Display, outcome: Outcome) -> None:
    resume = (directory / STATE).exists()
    try:
        done = train(run.config, output=directory, data=data, resume=resume, display=display)
        outcome.interrupted = done is None
    except KeyboardInterrupt:  # outside the steps, where nothing waits for the one under way
        outcome.interrupted = True
    except _RUN_FAILS as error:
        outcome.failed[run.name] = str(error)
        display.console.print(f"{run.name} failed: {error}", style="red", markup=False)
    if (directory / "config.json").exists():
        write_report(directory)


def _check_settings(sweep: Sweep, output: Path) -> None:
    """A run that has trained something must have been asked for the same."""
    for run in sweep.runs:
        directory = output / run.name
        started = (directory / STATE).exists() or (directory / "bundle").exists()
        if started and (changed := changed_settings(read_json(directory / "config.json"), run.config)):
            raise TrainingError(
                f"{directory}: this run was made with other settings ({', '.join(changed)}). Put them back, or give "
                "the sweep another --output."
            )


@contextmanager
def _claimed(output: Path) -> Iterator[None]:
    """Hold the directory; the system lets go of it when the process ends, however it ends."""
    output.mkdir(parents=True, exist_ok=True)
    lock = os.open(output / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise TrainingError(
            f"{output}: another sweep is at work there. Wait for it, or give another --output."
        ) from None
    try:
        yield
    finally:
        os.close(lock)
