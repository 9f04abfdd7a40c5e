"""How sure a difference is: over seeds by Student's t, over sentence pairs by the bootstrap."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

CONFIDENCE = 0.95
_AT_A_TIME = 1_000_000  # numbers ranked at once; keeps memory small

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its confidence interval."""

    difference: float
    low: float
    high: float
    """NaN, as `low`, where there is too little to say how sure it is"""
    count: int
    """Seeds, or sentence pairs"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What two models say of the pairs of one set, (n,) each."""

    first: Floats
    """Cosines of the first model"""
    second: Floats
    """Cosines of the second"""
    gold: Floats


def paired_t(differences: Sequence[float]) -> Interval:
    """Mean of paired differences with the interval of Student's t; one difference has none."""
    values = np.asarray(differences, dtype=np.float64)
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return Interval(mean, math.nan, math.nan, count)
    reach = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return Interval(mean, mean - reach, mean + reach, count)


def bootstrap(sets: Mapping[str, Judged], *, resamples: int, seed: int = 0) -> dict[str, Interval]:
    """Spearman x 100 of the second model minus that of the first, per set and for their plain mean, `average`.

    The same resampled pairs are given to both models. Intervals are percentiles of the resamples' differences.

    Args:
        sets: name to judged pairs.
        resamples: how often pairs are drawn anew, with replacement.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    found, drawn = {}, {}
    for name, judged in sets.items():
        drawn[name] = np.concatenate(list(_resampled(judged, resamples, random)))
        whole = float(_difference(judged.first[None], judged.second[None], judged.gold[None])[0])
        found[name] = _percentiles(whole, drawn[name], len(judged.gold))
    mean = float(np.mean([interval.difference for interval in found.values()]))
    averages = np.mean(list(drawn.values()), axis=0)
    found["average"] = _percentiles(mean, averages, sum(interval.count for interval in found.values()))
    return found


def _percentiles(difference: float, drawn: Floats, count: int) -> Interval:
    # A resample in which all scores are the same has no correlation.
    low, high = np.nanpercentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Interval(difference, float(low), float(high), count)


def _resampled(judged: Judged, resamples: int, random: np.random.Generator) -> Iterator[Floats]:
    """Differences of all resamples, some at a time."""
    count = len(judged.gold)
    part = max(1, _AT_A_TIME // count)
    for start in range(0, resamples, part):
        rows = random.integers(0, count, (min(part, resamples - start), count))
        yield _difference(judged.first[rows], judged.second[rows], judged.gold[rows])


def _difference(first: Floats, second: Floats, gold: Floats) -> Floats:
    """(rows, pairs) each; Spearman x 100 per row, second minus first."""
    ranks = _centred_ranks(gold)
    return 100 * (_correlation(_centred_ranks(second), ranks) - _correlation(_centred_ranks(first), ranks))


def _centred_ranks(values: Floats) -> Floats:
    ranks: Floats = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    return ranks


def _correlation(first: Floats, second: Floats) -> Floats:
    together: Floats = (first * second).sum(axis=1)
    with np.errstate(invalid="ignore"):
        spread: Floats = together / np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return spread
