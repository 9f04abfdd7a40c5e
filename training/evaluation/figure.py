"""Scores as a picture: a panel of bars for STS, for retrieval and for transfer, as far as they are there."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

_COLOURS = ("#9aa5b1", "#1f5fa8")  # the base, and what is compared with it
_HEIGHT = 2.6  # inches of a panel

Report = Mapping[str, Any]
Values = Mapping[str, float]


def draw(reports: Sequence[Report]) -> bytes | None:
    """SVG of one report, or of a base and another one beside it; None where the last holds nothing of all that.

    The same scores give the same bytes.

    Args:
        reports: one or two of what `mcse evaluate --json` prints.
    """
    series = list(zip(_COLOURS[-len(reports) :], reports, strict=True))
    panels = [(title, values) for title, values in _PANELS.items() if values(reports[-1])]
    if not panels:
        return None
    figure = Figure(figsize=(9, _HEIGHT * len(panels)), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        _bars(axes, title, [(colour, values(report)) for colour, report in series if values(report)])
    if len(reports) > 1:
        marks = [Patch(color=colour, label=str(report.get("model", ""))) for colour, report in series]
        figure.legend(handles=marks, loc="outside upper right", ncols=2, frameon=False)
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "mcse"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _with_average(report: Report, group: str) -> Values:
    values: Values = report.get(group, {})
    return {**values, "average": report[f"{group}_average"]} if values else {}


def _recalls(report: Report) -> Values:
    directions = {"to image": report.get("retrieval", {}), "to text": report.get("image_to_text", {})}
    return {
        f"{name} {direction}": value
        for direction, values in directions.items()
        for name, value in values.items()
        if name.startswith("recall")
    }


_PANELS: Mapping[str, Callable[[Report], Values]] = {
    "STS: Spearman x 100": lambda report: _with_average(report, "sts"),
    "Retrieval on Flickr8k test, x 100": _recalls,
    "Transfer: accuracy x 100": lambda report: _with_average(report, "transfer"),
}


def _bars(axes: Axes, title: str, series: Sequence[tuple[str, Values]]) -> None:
    names = list(series[-1][1])
    width = 0.8 / len(series)
    for number, (colour, values) in enumerate(series):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(names))]
        bars = axes.bar(places, [values.get(name, float("nan")) for name in names], width, color=colour)
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=1)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(0, 108)
    axes.spines[["top", "right"]].set_visible(False)
