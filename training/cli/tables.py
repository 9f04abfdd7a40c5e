"""Scores as a table on the terminal."""

import sys

from rich.console import Console
from rich.table import Table

from training.evaluation.evaluator import Scores


def print_scores(title: str, scores: Scores) -> None:
    """One row: the sets, their average, and retrieval where there is one."""
    values = {**scores.sts, "average": scores.sts_average, **scores.retrieval}
    table = Table(title=title)
    for name in values:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.2f}" for value in values.values()))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
