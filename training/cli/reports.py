"""`mcse report`, `mcse sweep` and `mcse compare`: what runs found, and how sure it is."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.told import told_in_one_sentence
from training.cli.options import DEFAULT_DATA, NAMED, DataOption, JsonOption

if TYPE_CHECKING:
    from training.reports.compare import Comparison


def report(run: Annotated[Path, typer.Argument(help="Directory of a run, finished or not.")]) -> None:
    """Write report.html of a run: curves, scores and the paper's row beside them."""
    with told_in_one_sentence(*NAMED):
        from training.reports.report import write_report

        typer.echo(write_report(run))


def sweep(
    plan: Annotated[Path, typer.Argument(help="TOML file with base, seeds, arms and grid; see docs/reports.md.")],
    output: Annotated[
        Path | None, typer.Option(help="Directory of all runs.", show_default="runs/NAME-OF-SWEEP")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    table_only: Annotated[bool, typer.Option("--table-only", help="Train nothing, draw again what is there.")] = False,
) -> None:
    """Train every arm with every seed, one after another, and draw table and figures after each run.

    Stopped at any point, the same call goes on. A run that fails is told at the end; the others are trained.
    """
    with told_in_one_sentence(*NAMED):
        from training.progress import Display
        from training.reports.plan import read_sweep
        from training.reports.sweep import redraw, run_sweep

        directory, planned, display = output or Path("runs") / plan.stem, read_sweep(plan), Display()
        if table_only:
            redraw(planned, directory)
        else:
            outcome = run_sweep(planned, output=directory, data=data, display=display)
            if outcome.interrupted:
                display.console.print(f"Stopped. Go on with: mcse sweep {plan} --output {directory}")
                raise typer.Exit(130)
        typer.echo((directory / "table.md").read_text(encoding="utf-8"))
        if not table_only and outcome.failed:
            raise typer.Exit(1)


def compare(
    first: Annotated[Path, typer.Argument(help="Run, bundle, arm of a sweep, or scores of mcse evaluate.")],
    second: Annotated[Path, typer.Argument(help="Likewise; the difference is this one minus the first.")],
    data: DataOption = DEFAULT_DATA,
    resamples: Annotated[
        int, typer.Option(min=100, help="Draws of sentence pairs where two models are compared.")
    ] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Tell how much better the second is than the first, with a 95 % confidence interval."""
    with told_in_one_sentence(*NAMED):
        from training.progress import Display
        from training.reports.compare import compare as compare_sides

        found = compare_sides(first, second, data=data, resamples=resamples, display=Display())
        if as_json:
            sys.stdout.write(json.dumps(found.to_dict(), indent=2) + "\n")
        else:
            _print_differences(found)


def _print_differences(found: "Comparison") -> None:
    from rich.console import Console
    from rich.table import Table

    from training.reports.results import in_digits

    table = Table(title=f"{found.second} minus {found.first}")
    for name in ("measure", "difference", "low", "high", found.unit):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for name, interval in found.differences.items():
        ends = (in_digits(name, end, sign="+") for end in (interval.difference, interval.low, interval.high))
        table.add_row(name, *ends, str(interval.count) if math.isfinite(interval.low) else "–")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(found.meaning)
