"""`mcse evaluate`: the scores of any checkpoint."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from models.config import Pooling
from models.told import told_in_one_sentence
from training.cli.options import DEFAULT_DATA, NAMED, DataOption


def evaluate(
    path: Annotated[str, typer.Argument(help="Model directory, package:NAME, or hub id.")],
    pooling: Annotated[Pooling | None, typer.Option(help="Instead of what the checkpoint says.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score a checkpoint: Spearman on the seven STS sets, and image retrieval where it has the heads."""
    with told_in_one_sentence(*NAMED):
        from models import load
        from training.cli.tables import print_scores
        from training.evaluation.evaluator import Evaluator
        from training.progress import Display

        checkpoint = load(path, pooling=pooling)
        with Display().evaluating() as line:
            scores = Evaluator(checkpoint.model, checkpoint.tokenizer, data).all(line.on_set)
        if as_json:
            facts = {"model": path, "pooling": checkpoint.pooling, "pooling_reason": checkpoint.pooling_reason}
            sys.stdout.write(json.dumps({**facts, **scores.to_dict()}, indent=2) + "\n")
        else:
            print_scores(f"{checkpoint.name}, {checkpoint.pooling} pooling ({checkpoint.pooling_reason})", scores)
