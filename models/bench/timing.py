"""Repeat a piece of work for about a given time, and tell the rate."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Timed:
    """How long each repetition took, in seconds."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The quickest; what the machine can do."""
        return min(self.seconds)

    @property
    def middle(self) -> float:
        """The median; what it does."""
        return float(np.median(self.seconds))


def repeat(act: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter) -> Timed:
    """Do it until the time is over. The first time warms up, and counts only where it took all the time there was."""
    started = clock()
    act()
    first = clock() - started
    if first >= seconds:
        return Timed((first,))
    took: list[float] = []
    while not took or first + sum(took) < seconds:
        started = clock()
        act()
        took.append(clock() - started)
    return Timed(tuple(took))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank).

    Raises:
        ValueError: there are no values, or the share is not above 0 and at most 1.
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values and a share above 0 and at most 1")
    ordered = sorted(values)
    return ordered[int(np.ceil(share * len(ordered))) - 1]
