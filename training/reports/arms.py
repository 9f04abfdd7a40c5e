"""The figures of a sweep: averages of its arms, score against number of pairs, alignment against uniformity."""

import itertools
import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from training.config import TrainConfig
from training.reports.figures import COLOURS, Drawing, canvas
from training.reports.results import ArmResults

_LINE = 0.32  # inches of an arm
_NUMBER = re.compile(r"[-_=.+]+(pairs[-_=.+]*)?\d*$")  # at the end of an arm's name


def average_figure(arms: Sequence[ArmResults]) -> Drawing | None:
    """The STS average of every arm: a point per seed, mean and deviation; None without a finished run."""
    shown = [arm for arm in arms if arm.by_seed]
    if not shown:
        return None
    with canvas("STS average, Spearman x 100", "", height=1 + _LINE * len(shown)) as made:
        for row, arm in enumerate(shown):
            values, colour = arm.values("average"), COLOURS[row % len(COLOURS)]
            made.axes.plot(values, [row] * len(values), ".", color=colour, alpha=0.5)
            made.axes.errorbar(
                fmean(arm.values("average")), row, xerr=arm.deviation("average"), fmt="D", color=colour, capsize=4
            )
        made.axes.set_yticks(range(len(shown)), [arm.name for arm in shown])
        made.axes.set_ylim(len(shown) - 0.5, -0.5)
        return made.drawing("STS average per arm: " + ", ".join(f"{arm.name} {arm.cell('average')}" for arm in shown))


def geometry_figure(arms: Sequence[ArmResults]) -> Drawing | None:
    """Alignment against uniformity: a point per seed, the mean of each arm; None where it was not measured."""
    shown = [arm for arm in arms if arm.values("alignment") and arm.values("uniformity")]
    if not shown:
        return None
    with canvas("uniformity (lower is better)", "alignment (lower is better)") as made:
        for place, arm in enumerate(shown):
            colour, marker = COLOURS[place % len(COLOURS)], "osD^v"[place // len(COLOURS) % 5]
            made.axes.plot(arm.values("uniformity"), arm.values("alignment"), ".", color=colour, alpha=0.5)
            middle = fmean(arm.values("uniformity")), fmean(arm.values("alignment"))
            made.axes.plot(*middle, marker, color=colour, markersize=8, label=arm.name)
        made.axes.legend(fontsize=8)
        return made.drawing("alignment against uniformity of the arms")


def scale_figure(arms: Sequence[ArmResults], configs: Mapping[str, TrainConfig]) -> Drawing | None:
    """STS average against the number of pairs, on a log axis, for arms that differ in nothing else; None without such.

    All pairs have no number of their own: they are drawn at twice the largest one and named `all`.
    """
    lines = _scales([arm for arm in arms if arm.by_seed], configs)
    if not lines:
        return None
    largest = max(pairs for line in lines.values() for pairs in line if pairs is not None)
    places = {p: p or 2 * largest for line in lines.values() for p in line}
    with canvas("image-caption pairs", "STS average, Spearman x 100") as made:
        made.axes.set_xscale("log")
        for colour, (label, line) in zip(COLOURS, lines.items(), strict=False):
            points = sorted(line.items(), key=lambda point: places[point[0]])
            made.axes.errorbar(
                [places[pairs] for pairs, _ in points],
                [fmean(arm.values("average")) for _, arm in points],
                yerr=[arm.deviation("average") or 0.0 for _, arm in points],
                marker="o",
                capsize=4,
                color=colour,
                label=label,
            )
        made.axes.minorticks_off()
        made.axes.set_xticks(list(places.values()), ["all" if p is None else f"{p:,}" for p in places])
        made.axes.legend()
        return made.drawing(f"STS average against the number of pairs: {', '.join(lines)}")


def _scales(arms: Sequence[ArmResults], configs: Mapping[str, TrainConfig]) -> dict[str, dict[int | None, ArmResults]]:
    """Arms that differ only in `ablation.pairs`, by what their names have in common."""
    groups: dict[str, dict[int | None, ArmResults]] = {}
    for arm in arms:
        groups.setdefault(_without_pairs(configs[arm.name]), {})[configs[arm.name].ablation.pairs] = arm
    found = [group for group in groups.values() if len(group) > 1]
    return {_label([arm.name for arm in group.values()]): group for group in found}


def _without_pairs(config: TrainConfig) -> str:
    settings: dict[str, Any] = config.to_dict()
    return str({**settings, "ablation": {**settings["ablation"], "pairs": None}})


def _label(names: Sequence[str]) -> str:
    columns = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    shared = "".join(letters[0] for letters in columns)
    return _NUMBER.sub("", shared) or " / ".join(names)
