"""Counters and histograms that only the event loop changes, and so without prometheus_client's lock and checks.

Each request changes a good ten of them, which takes a fifth of the time of the library's own. Another thread may read
them for a scrape: it sees each number as it was at some moment.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter."""

    def __init__(self, name: str, documentation: str, *, registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._value = 0
        registry.register(self)

    def inc(self, amount: int) -> None:
        """Count so many more."""
        self._value += amount

    def collect(self) -> Iterable[CounterMetricFamily]:
        """For the registry."""
        yield CounterMetricFamily(self._name, self._documentation, value=self._value)


class Tallies(Collector):
    """Counters by labels."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._values: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def inc(self, values: tuple[str, ...], amount: int = 1) -> None:
        """Count so many more of these values of the labels; 0 shows the series."""
        self._values[values] = self._values.get(values, 0) + amount

    def collect(self) -> Iterable[CounterMetricFamily]:
        """For the registry."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, value in [*self._values.items()]:
            family.add_metric(values, value)
        yield family


class Durations(Collector):
    """A histogram of seconds for each of the `stages`."""

    def __init__(
        self,
        name: str,
        documentation: str,
        stages: Iterable[str],
        bounds: Sequence[float],
        *,
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._counts = {stage: [0] * (len(bounds) + 1) for stage in stages}
        self._sums = dict.fromkeys(self._counts, 0.0)
        registry.register(self)

    def observe(self, stage: str, seconds: float) -> None:
        """One more."""
        self._counts[stage][bisect_left(self._bounds, seconds)] += 1
        self._sums[stage] += seconds

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """For the registry."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=["stage"])
        ends = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for stage, counts in self._counts.items():
            family.add_metric([stage], [*zip(ends, map(float, accumulate(counts)), strict=True)], self._sums[stage])
        yield family
