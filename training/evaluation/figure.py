"""Scores as a picture: a panel of bars for STS, for each direction of retrieval and for transfer."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLOURS = ("#9aa5b1", "#1f5fa8")  # the base, and what is compared with it
_HEIGHT = 2.6  # inches of a panel

Report = Mapping[str, Any]


def draw(reports: Sequence[Report]) -> bytes:
    """SVG of one report, or of a base and another one beside it; the same scores give the same bytes.

    Args:
        reports: one or two of what `mcse evaluate --json` prints.
    """
    panels = list(_panels(reports))
    figure = Figure(figsize=(9, _HEIGHT * len(panels)), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        _bars(axes, title, values)
    if len(reports) > 1:
        names = [str(report.get("model", "")) for report in reports]
        figure.legend(figure.axes[0].containers, names, loc="outside upper right", ncols=2, frameon=False)
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "mcse"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _panels(reports: Sequence[Report]) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Title, and the named values of each report; only what the last one has."""
    wanted = {
        "STS: Spearman x 100": "sts",
        "Text to image: recall x 100": "retrieval",
        "Image to text: recall x 100": "image_to_text",
        "Transfer: accuracy x 100": "transfer",
    }
    for title, group in wanted.items():
        if reports[-1].get(group):
            yield title, [_values(report, group) for report in reports]


def _values(report: Report, group: str) -> dict[str, float]:
    values = {name: value for name, value in report.get(group, {}).items() if name != "median_rank"}
    average = report.get(f"{group}_average")
    return values if average is None else {**values, "average": average}


def _bars(axes: Axes, title: str, values: Sequence[Mapping[str, float]]) -> None:
    names = list(values[-1])
    width = 0.8 / len(values)
    for number, (colour, found) in enumerate(zip(_COLOURS[-len(values) :], values, strict=True)):
        places = [place + (number - (len(values) - 1) / 2) * width for place in range(len(names))]
        heights = [found.get(name, float("nan")) for name in names]
        bars = axes.bar(places, heights, width, color=colour)
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=1)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(0, 108)
    axes.spines[["top", "right"]].set_visible(False)
