"""An STS set cut into its subsets: each on its own, put together in three ways, and without its captions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.sts import STS_YEARS, Pairs, rank_correlation

CAPTION_SUBSETS = {
    "STS12": ("MSRvid",),
    "STS14": ("images",),
    "STS15": ("images",),
    "STSB": ("main-captions",),
}
"""Subsets that describe photographs or video clips; all of SICK does."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """Spearman x 100 on one set, in every way it is reported."""

    all: float
    """Over all its pairs at once: the score that SimCSE and MCSE report"""
    mean: float
    """Plain mean over the files of a year; `all` for STS-B and SICK-R, which SentEval reads as one file"""
    wmean: float
    """The same, each file weighted by its pairs"""
    subsets: Mapping[str, float]
    without_captions: float | None
    """`all` without the pairs of `CAPTION_SUBSETS`; None for SICK-R, of which nothing would be left"""


def score_set(name: str, pairs: Pairs, cosine: NDArray[np.float64]) -> SetScores:
    """Score a set.

    Args:
        name: one of `STS_SETS`.
        pairs: its pairs.
        cosine: (n,) of each pair.
    """
    whole = rank_correlation(cosine, pairs.gold)
    subsets = {part: rank_correlation(cosine[rows], pairs.gold[rows]) for part, rows in pairs.subsets.items()}
    mean = wmean = whole
    if name in STS_YEARS:
        scores, sizes = list(subsets.values()), [len(rows) for rows in pairs.subsets.values()]
        mean, wmean = float(np.mean(scores)), float(np.average(scores, weights=sizes))
    return SetScores(whole, mean, wmean, subsets, _without_captions(name, pairs, cosine))


def _without_captions(name: str, pairs: Pairs, cosine: NDArray[np.float64]) -> float | None:
    if name == "SICKR":
        return None
    kept = np.ones(len(cosine), dtype=bool)
    for subset in CAPTION_SUBSETS.get(name, ()):
        kept[pairs.subsets.get(subset, [])] = False
    return rank_correlation(cosine[kept], pairs.gold[kept])
