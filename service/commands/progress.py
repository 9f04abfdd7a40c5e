"""What a person sees while points are on their way: a bar with rows a second and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Update: TypeAlias = Callable[[int, int], None]
"""Called with how much of the whole is done, and with how many rows are done in this run."""


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Update]:
    """A bar on the terminal that is gone at the end; nothing where standard error is no terminal.

    `total` is in bytes or points, as the first number of an update; None is unknown.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total or None, rows=0, rate=0.0)

        def update(completed: int, rows: int) -> None:
            elapsed = progress.tasks[task].elapsed or 0.0
            progress.update(task, completed=completed, rows=rows, rate=rows / elapsed if elapsed > 0 else 0.0)

        yield update
