"""`mcse train` and `mcse evaluate`. Heavy imports wait until a command runs, so that --help is quick."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.errors import CheckpointError, TextError
from models.told import told_in_one_sentence
from training.errors import ConfigError, DataError, TrainingError

if TYPE_CHECKING:
    from training.evaluation.evaluator import Scores

app = typer.Typer(help="Train and evaluate sentence encoders.", no_args_is_help=True)

DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="MCSE_DATA",
        help="Folder of training and evaluation data.",
        show_default=True,
    ),
]
DEFAULT_DATA = Path("../shared/data")
NAMED = (CheckpointError, TextError, ConfigError, DataError, TrainingError)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the run; see configs/.")],
    output: Annotated[
        Path | None, typer.Option(help="Directory of the run.", show_default="runs/NAME-OF-CONFIG")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that stopped in --output.")] = False,
) -> None:
    """Train a model and export it as a bundle that `mcse serve` opens.

    Ctrl-C finishes the step under way and leaves a state that --resume goes on from.
    """
    with told_in_one_sentence(*NAMED):
        from training.config import load_config
        from training.progress import Display
        from training.train import train as run

        display = Display()
        directory = output or Path("runs") / config.stem
        result = run(load_config(config), output=directory, data=data, resume=resume, display=display)
        if result is None:
            display.console.print(f"Stopped. Go on with: mcse train {config} --output {directory} --resume")
            raise typer.Exit(130)
        display.console.print(f"Done after {result.progress.step} steps. Model: {result.bundle}")
        _print_table(str(result.bundle), result.scores)


@app.command()
def evaluate(
    path: Annotated[str, typer.Argument(help="Model directory, package:NAME, or hub id.")],
    pooling: Annotated[Literal["cls", "mean"] | None, typer.Option(help="Instead of what the checkpoint says.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score a checkpoint: Spearman on the seven STS sets, and image retrieval where it has the heads."""
    with told_in_one_sentence(*NAMED):
        from models import load
        from training.evaluation.evaluator import Evaluator
        from training.progress import Display

        checkpoint = load(path, pooling=pooling)
        with Display().evaluating() as line:
            scores = Evaluator(checkpoint.model, checkpoint.tokenizer, data).all(line.on_set)
        if as_json:
            facts = {"model": path, "pooling": checkpoint.pooling, "pooling_reason": checkpoint.pooling_reason}
            sys.stdout.write(json.dumps({**facts, **scores.to_dict()}, indent=2) + "\n")
        else:
            _print_table(f"{checkpoint.name}, {checkpoint.pooling} pooling ({checkpoint.pooling_reason})", scores)


def _print_table(title: str, scores: "Scores") -> None:
    from rich.console import Console
    from rich.table import Table

    values = {**scores.sts, "average": scores.sts_average, **scores.retrieval}
    table = Table(title=title)
    for name in values:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.2f}" for value in values.values()))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
