"""`mcse evaluate`: the scores of any checkpoint."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.config import Pooling
from models.told import told_in_one_sentence
from training.cli.options import DEFAULT_DATA, NAMED, DataOption, JsonOption

if TYPE_CHECKING:
    from training.evaluation.evaluator import Task

_TASKS_HELP = "What to score: sts, retrieval, geometry, transfer, separated by commas; or all."


def evaluate(
    path: Annotated[str, typer.Argument(help="Model directory, package:NAME, or hub id.")],
    pooling: Annotated[Pooling | None, typer.Option(help="Instead of what the checkpoint says.")] = None,
    tasks: Annotated[str, typer.Option(help=_TASKS_HELP)] = "sts,retrieval,geometry",
    data: DataOption = DEFAULT_DATA,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory to write scores.json and scores.svg into.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Other scores, as --output wrote them, to lay these beside.")
    ] = None,
    subsets: Annotated[bool, typer.Option("--subsets", help="Also print every subset and aggregation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score a checkpoint: STS, alignment and uniformity, transfer, and image retrieval where it has the heads."""
    with told_in_one_sentence(*NAMED):
        from models import load
        from training.cli.tables import print_scores
        from training.evaluation.evaluator import Evaluator, check_data
        from training.evaluation.saved import read_scores, write_scores
        from training.progress import Display

        wanted = _parse(tasks)
        base = read_scores(against) if against is not None else None
        check_data(data, wanted)
        checkpoint = load(path, pooling=pooling)
        evaluator, display = Evaluator(checkpoint.model, checkpoint.tokenizer, data), Display()
        if "retrieval" in wanted and (reason := evaluator.no_retrieval()) is not None:
            display.console.print(f"No retrieval: {reason}.")
        with display.evaluating() as line:
            scores = evaluator.all(line.on_set, wanted)
        facts = {"model": path, "pooling": checkpoint.pooling, "pooling_reason": checkpoint.pooling_reason}
        report = {**facts, **scores.to_dict()}
        if output is not None:
            write_scores(output, report, base)
        if as_json:
            sys.stdout.write(json.dumps(report, indent=2) + "\n")
        else:
            title = f"{checkpoint.name}, {checkpoint.pooling} pooling ({checkpoint.pooling_reason})"
            print_scores(title, scores, base=base, with_subsets=subsets)


def _parse(tasks: str) -> "tuple[Task, ...]":
    from training.evaluation.evaluator import TASKS

    if tasks == "all":
        return TASKS
    names = [name.strip() for name in tasks.split(",")]
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(TASKS)}, all", param_hint="--tasks")
    return tuple(task for task in TASKS if task in names)
