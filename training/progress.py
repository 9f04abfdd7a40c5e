"""What a person sees while a run goes on: a bar with loss, rate and time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_SMOOTHING = 0.98  # of the shown loss; single batches jump


class TrainingBar:
    """Advances by steps and shows a smoothed loss and the sentences per second."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._loss: float | None = None
        self._sentences = 0

    def advance(self, sentences: int, loss: float) -> None:
        """One step is done."""
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        self._sentences += sentences
        elapsed = self._progress.tasks[self._task].elapsed or 0.0
        rate = self._sentences / elapsed if elapsed > 0 else 0.0
        self._progress.update(self._task, advance=1, loss=f"{self._loss:.4f}", rate=f"{rate:.0f}")

    def scored(self, score: float, best: float) -> None:
        """An evaluation on the pairs that choose the step is done."""
        step = int(self._progress.tasks[self._task].completed)
        self._progress.console.print(f"step {step}: dev {score:.2f} (best {best:.2f})")


class Display:
    """Progress on a console; plain lines where it is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)

    @contextmanager
    def tokenizing(self, name: str) -> Iterator[Callable[[int], None]]:
        """A line that counts sentences; gone when all are done, and never there where the cache had them."""
        columns = (
            SpinnerColumn(),
            TextColumn("tokenizing {task.description}: {task.completed:,} sentences"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(name, total=None, visible=False)
            yield lambda sentences: progress.update(task, advance=sentences, visible=True)

    @contextmanager
    def training(self, total: int, done: int) -> Iterator[TrainingBar]:
        """A bar over all steps of a run."""
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[rate]} sentences/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task("training", total=total, completed=done, loss="-", rate="-")
            yield TrainingBar(progress, task)

    @contextmanager
    def evaluating(self) -> Iterator["EvaluationLine"]:
        """A line that names the set under way."""
        columns = SpinnerColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield EvaluationLine(progress, progress.add_task("evaluating"))


class EvaluationLine:
    """Says which set is being scored."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def on_set(self, name: str) -> None:
        """A set begins."""
        self._progress.update(self._task, description=f"evaluating {name}")
