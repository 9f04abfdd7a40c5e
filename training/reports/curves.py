"""The figures of one run: losses, learning rate, dev score, alignment against uniformity."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from training.reports.figures import COLOURS, INK, Drawing, canvas
from training.reports.run import RunRecord

_POINTS = 400  # of a curve; more cannot be seen and make the page heavy
_SMOOTHED_OVER = 1 / 25  # of the curve
_NO_LOSS = ("step", "kind", "seconds", "learning_rate")
KINDS = {"text": "text batches", "pair": "caption batches"}

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Steps and values, (n,) each."""


def loss_curves(run: RunRecord) -> Drawing:
    """The total loss of text and of caption batches."""
    return _losses({label: curve(_of_kind(run, kind), "loss") for kind, label in KINDS.items()}, "total loss")


def part_curves(run: RunRecord, kind: str) -> Drawing:
    """Every part of the loss of one kind of batch; empty parts are left out."""
    records = _of_kind(run, kind)
    names = dict.fromkeys(name for record in records for name in record if name not in (*_NO_LOSS, "loss"))
    return _losses({name: curve(records, name) for name in names}, f"loss of {KINDS[kind]}")


def rate_curve(run: RunRecord) -> Drawing:
    """The learning rate of the encoder."""
    steps, rates = thin(curve(run.steps, "learning_rate"))
    with canvas("step", "learning rate") as made:
        made.axes.plot(steps, rates, color=COLOURS[0])
        made.axes.set_ylim(bottom=0)
        return made.drawing(f"learning rate over {len(run.steps)} steps")


def dev_curve(run: RunRecord) -> Drawing:
    """Spearman on the pairs that choose the step, its best marked."""
    steps, scores = curve(run.evaluations, "dev")
    with canvas("step", f"{run.dev_name}, Spearman x 100") as made:
        made.axes.plot(steps, scores, color=COLOURS[0], marker=".")
        alt = f"{run.dev_name} at {len(steps)} evaluations"
        if len(steps):
            best = int(np.argmax(scores))
            label = f"best: {scores[best]:.2f} at step {steps[best]:.0f}"
            made.axes.plot(steps[best], scores[best], "o", color=COLOURS[1], markersize=8, label=label)
            made.axes.legend()
            alt += f", {label}"
        return made.drawing(alt)


def geometry_path(run: RunRecord) -> Drawing:
    """Alignment against uniformity at each evaluation, dark at the first and bright at the last."""
    both = [r for r in run.evaluations if math.isfinite(r.get("alignment", math.nan) + r.get("uniformity", math.nan))]
    (steps, alignment), (_, uniformity) = curve(both, "alignment"), curve(both, "uniformity")
    with canvas("uniformity (lower is better)", "alignment (lower is better)") as made:
        made.axes.plot(uniformity, alignment, color=INK, alpha=0.4, linewidth=0.8)
        shades = mpl.colormaps["viridis"](np.linspace(0.2, 0.85, max(len(steps), 1)))[: len(steps)]
        made.axes.scatter(uniformity, alignment, c=shades, s=30, zorder=3)
        for place in {0, len(steps) - 1} if len(steps) else ():
            at = (uniformity[place], alignment[place])
            made.axes.annotate(f"step {steps[place]:.0f}", at, xytext=(5, 5), textcoords="offset points")
        return made.drawing(f"alignment against uniformity at {len(steps)} evaluations")


def curve(records: Sequence[Mapping[str, Any]], name: str) -> Curve:
    """The finite values of one number over the steps."""
    found = [(r["step"], r[name]) for r in records if name in r and math.isfinite(r[name])]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def thin(points: Curve) -> Curve:
    """Means of neighbours, so that at most `_POINTS` are left."""
    steps, values = points
    parts = min(len(steps), _POINTS)
    if parts == 0:
        return points
    starts = np.linspace(0, len(steps), parts, endpoint=False).astype(int)
    sizes = np.diff([*starts, len(steps)])
    return np.add.reduceat(steps, starts) / sizes, np.add.reduceat(values, starts) / sizes


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over a window around each value; at the ends over the part of it that is there."""
    width = 2 * (int(len(values) * _SMOOTHED_OVER) // 2) + 1
    window = np.ones(width)
    count = np.convolve(np.ones(len(values)), window, mode="same")
    return np.convolve(values, window, mode="same") / count


def _losses(curves: Mapping[str, Curve], label: str) -> Drawing:
    with canvas("step", label) as made:
        shown = {name: points for name, points in curves.items() if len(points[0])}
        for colour, (name, (steps, values)) in zip(COLOURS, shown.items(), strict=False):
            made.axes.plot(*thin((steps, values)), color=colour, alpha=0.3, linewidth=0.7)
            made.axes.plot(*thin((steps, smooth(values))), color=colour, label=name)
        if shown:
            made.axes.legend()
        return made.drawing(f"{label} over the steps: {', '.join(shown) or 'nothing yet'}")


def _of_kind(run: RunRecord, kind: str) -> list[dict[str, Any]]:
    return [record for record in run.steps if record.get("kind") == kind]
