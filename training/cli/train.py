"""`mcse train`: a run from its configuration to an exported model."""

from pathlib import Path
from typing import Annotated

import typer

from models.told import told_in_one_sentence
from training.cli.options import DEFAULT_DATA, NAMED, DataOption


def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the run; see configs/.")],
    output: Annotated[
        Path | None, typer.Option(help="Directory of the run.", show_default="runs/NAME-OF-CONFIG")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that stopped in --output.")] = False,
) -> None:
    """Train a model and export it as a bundle that `mcse serve` opens.

    Ctrl-C finishes the step under way and leaves a state that --resume goes on from. Several processes: start it with
    torchrun or `accelerate launch`, as `-m training train ...`.
    """
    with told_in_one_sentence(*NAMED):
        from training.cli.tables import print_scores
        from training.config import load_config
        from training.processes import Processes
        from training.progress import Display
        from training.reports.report import write_report
        from training.train import train as run

        settings, main = load_config(config), Processes.join().main
        display = Display(quiet=not main)
        directory = output or Path("runs") / config.stem
        result = run(settings, output=directory, data=data, resume=resume, display=display)
        if not main:
            return
        if result is None:
            display.console.print(f"Stopped. Go on with: mcse train {config} --output {directory} --resume")
            raise typer.Exit(130)
        report = write_report(directory)
        display.console.print(f"Done after {result.progress.step} steps. Model: {result.bundle} Report: {report}")
        print_scores(str(result.bundle), result.scores)
