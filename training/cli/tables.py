"""Scores as tables on the terminal."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from training.evaluation.scores import Scores, SetGeometry

_PIPE_WIDTH = 140  # where there is no terminal to ask


def print_scores(
    title: str, scores: Scores, *, base: Mapping[str, Any] | None = None, with_subsets: bool = False
) -> None:
    """Print a table for each kind of score that is there.

    Args:
        title: what was scored.
        scores: its scores.
        base: scores to print above these, as `scores.json` has them, with the difference below.
        with_subsets: also print every subset and aggregation.
    """
    screen = console()
    screen.print(title, style="bold")
    found, before = scores.to_dict(), base or {}
    for group, name in (("sts", "STS, Spearman x 100"), ("transfer", "Transfer, accuracy x 100")):
        if found.get(group):
            screen.print(_compared(name, _with_average(found, group), _with_average(before, group)))
    if scores.retrieval:
        screen.print(_retrieval(scores))
    if scores.geometry:
        screen.print(_geometry(scores.geometry))
    if with_subsets and scores.details:
        screen.print(_subsets(scores))


def table(title: str, columns: Iterable[str]) -> Table:
    """A table whose first column names its rows."""
    made = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left")
    return made


def console() -> Console:
    """Standard output, wide enough for a whole table where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _with_average(scores: Mapping[str, Any], group: str) -> dict[str, float]:
    values = dict(scores.get(group, {}))
    return {**values, "average": scores[f"{group}_average"]} if f"{group}_average" in scores else values


def _compared(title: str, values: Mapping[str, float], base: Mapping[str, float]) -> Table:
    made = table(title, ["", *values])
    if base:
        made.add_row("base", *(_digits(base.get(name)) for name in values))
    made.add_row("", *map(_digits, values.values()))
    if base:
        changes = (f"{value - base[name]:+.2f}" if name in base else "" for name, value in values.items())
        made.add_row("difference", *changes)
    return made


def _retrieval(scores: Scores) -> Table:
    made = table("Retrieval, x 100", ["", *scores.retrieval])
    made.add_row("text to image", *map(_digits, scores.retrieval.values()))
    made.add_row("image to text", *(_digits(scores.image_to_text.get(name)) for name in scores.retrieval))
    return made


def _geometry(geometry: Mapping[str, SetGeometry]) -> Table:
    made = table("Geometry: over the whole set; mean over batches as in MCSE's code", ["", *geometry])
    found = geometry.values()
    rows = {
        "alignment": [each.whole.alignment for each in found],
        "uniformity": [each.whole.uniformity for each in found],
        "alignment, batches": [each.original.alignment for each in found],
        "uniformity, batches": [each.original.uniformity for each in found],
    }
    for label, values in rows.items():
        made.add_row(label, *(f"{value:.3f}" for value in values))
    return made


def _subsets(scores: Scores) -> Table:
    made = table("STS by subset, Spearman x 100", ["set", "subset", "Spearman"])
    made.columns[1].justify = "left"
    for name, found in scores.details.items():
        for subset, value in found.subsets.items():
            made.add_row(name, subset, _digits(value))
        made.add_row(name, "all", _digits(found.all), style="bold")
        made.add_row(name, "mean", _digits(found.mean))
        made.add_row(name, "weighted mean", _digits(found.wmean))
        made.add_row(name, "without captions", _digits(found.without_captions), end_section=True)
    made.add_row("average", "without captions", _digits(scores.caption_free["average"]), style="bold")
    return made


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
