"""The scores of one arm over its seeds, and how two arms differ seed by seed."""

import math
import re
import statistics
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError
from training.evaluation.sts import STS_SETS
from training.reports.intervals import Interval, paired_t
from training.reports.run import measures, read_run

SIMILARITY = (*STS_SETS, "average")
OVER_SEEDS = (
    "The 95 % t-interval of the mean difference over seeds says how far chance of the seed may carry it; it says "
    "nothing of other data, models or test sets, assumes normal differences, and is wide with few seeds."
)
_SEED = re.compile(r"seed-(\d+)")
_FINE = ("alignment", "uniformity")  # these move by hundredths


@dataclass(frozen=True, slots=True)
class ArmResults:
    """One arm: a configuration with several seeds."""

    name: str
    by_seed: dict[int, dict[str, float]]
    """Seed to measures, of finished runs"""

    def values(self, measure: str) -> list[float]:
        """One measure over the seeds that have it."""
        return [found[measure] for found in self.by_seed.values() if measure in found]

    def mean(self, measure: str) -> float | None:
        """None where no seed has it."""
        values = self.values(measure)
        return statistics.fmean(values) if values else None

    def deviation(self, measure: str) -> float | None:
        """Sample standard deviation; None below two seeds."""
        values = self.values(measure)
        return statistics.stdev(values) if len(values) > 1 else None

    def cell(self, measure: str) -> str:
        """Mean ± deviation, as it is printed."""
        mean, deviation = self.mean(measure), self.deviation(measure)
        if mean is None:
            return "–"
        shown = in_digits(measure, mean)
        return shown if deviation is None else f"{shown} ± {in_digits(measure, deviation)}"


def read_arm(directory: Path, seeds: Collection[int] | None = None) -> ArmResults:
    """The finished runs among `seed-*` of a directory.

    Args:
        directory: of the arm.
        seeds: leave out others; None takes all.

    Raises:
        TrainingError: a file of a run is damaged.
    """
    found: dict[int, dict[str, float]] = {}
    for path in directory.glob("seed-*"):
        matched = _SEED.fullmatch(path.name)
        wanted = matched is not None and (seeds is None or int(matched[1]) in seeds)
        if matched and wanted and (path / "config.json").is_file() and (run := read_run(path)).finished:
            found[int(matched[1])] = measures(run.scores)
    return ArmResults(directory.name, dict(sorted(found.items())))


def measure_names(arms: Iterable[ArmResults]) -> list[str]:
    """Every measure that some run has, in the order of a table."""
    found = [name for arm in arms for measured in arm.by_seed.values() for name in measured]
    return list(dict.fromkeys((*SIMILARITY, *found)))


def paired(first: ArmResults, second: ArmResults) -> dict[str, Interval]:
    """Mean over the common seeds of second minus first, per measure that all of these runs have.

    Raises:
        TrainingError: they have no seed in common.
    """
    seeds = sorted(first.by_seed.keys() & second.by_seed.keys())
    if not seeds:
        raise TrainingError(
            f"{first.name} has seeds {_listed(first.by_seed)}, {second.name} has {_listed(second.by_seed)}: none in "
            "common, so nothing can be paired. Train both with the same seeds."
        )
    runs = [found for seed in seeds for found in (first.by_seed[seed], second.by_seed[seed])]
    common = [name for name in measure_names((first, second)) if all(name in found for found in runs)]
    return {
        name: paired_t([second.by_seed[seed][name] - first.by_seed[seed][name] for seed in seeds]) for name in common
    }


def in_digits(measure: str, value: float, *, sign: str = "") -> str:
    """With as many digits as the measure is worth; a dash for what is no number."""
    if not math.isfinite(value):
        return "–"
    return format(value, f"{sign}.{3 if measure in _FINE else 2}f")


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"
