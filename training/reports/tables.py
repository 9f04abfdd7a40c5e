"""Tables of arms and of differences, as rows of text for Markdown and for a page alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.reports.intervals import Interval
from training.reports.results import SIMILARITY, ArmResults, in_digits, measure_names


@dataclass(frozen=True, slots=True)
class Table:
    """Plain text in rows and columns."""

    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """As a Markdown table."""
        lines = [self.header, ["---", *("---:" for _ in self.header[1:])], *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def similarity_table(arms: Sequence[ArmResults], seeds: int) -> Table:
    """Like the paper's Table 1: an arm per row, a set per column, mean ± deviation."""
    header = ["arm", "seeds", *SIMILARITY]
    return Table(header, [[a.name, f"{len(a.by_seed)} of {seeds}", *map(a.cell, SIMILARITY)] for a in arms])


def other_table(arms: Sequence[ArmResults]) -> Table | None:
    """Every other measure; None where there is none."""
    names = [name for name in measure_names(arms) if name not in SIMILARITY]
    return Table(["arm", *names], [[arm.name, *map(arm.cell, names)] for arm in arms]) if names else None


def difference_table(rows: Mapping[str, Mapping[str, Interval]]) -> Table:
    """Differences with their intervals, a comparison per row."""
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    cells = [
        [label, str(_count(found)), *(interval_cell(name, found.get(name)) for name in names)]
        for label, found in rows.items()
    ]
    return Table(["difference", "seeds", *names], cells)


def interval_cell(measure: str, interval: Interval | None) -> str:
    """`+0.42 (+0.11 to +0.73)`; without the brackets where nothing is known of how sure it is."""
    if interval is None:
        return "–"
    shown = in_digits(measure, interval.difference, sign="+")
    if math.isnan(interval.low):
        return shown
    low, high = (in_digits(measure, end, sign="+") for end in (interval.low, interval.high))
    return f"{shown} ({low} to {high})"


def _count(found: Mapping[str, Interval]) -> int:
    return max((interval.count for interval in found.values()), default=0)
