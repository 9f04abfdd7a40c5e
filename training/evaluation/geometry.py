"""Alignment and uniformity (Wang & Isola 2020): how close true pairs lie, and how evenly sentences fill the sphere.

Both are losses: lower is better. The whole-set form is the one of Wang & Isola and of SimCSE; the form of MCSE's
published code averages over batches, and its numbers cannot be laid beside the others'. Everything is float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.sts import STS_YEARS, IndexedPairs, Pairs

ALIGNED = 4.0
"""A pair counts as true from this gold score on"""
_BATCH = 128  # pairs; what MCSE's evaluation encodes at a time
_BLOCK = 512  # rows whose distances are in memory at a time

Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Alignment and uniformity of one set."""

    alignment: float
    uniformity: float


def alignment(first: Vectors, second: Vectors) -> float:
    """Mean squared distance of (n, width) unit vectors to their partners; NaN without a pair."""
    if len(first) == 0:
        return float("nan")
    return float(((first - second) ** 2).sum(axis=1).mean())


def uniformity(vectors: Vectors) -> float:
    """Log of the mean of exp(-2 x squared distance) over all pairs of different rows; NaN for fewer than two.

    Args:
        vectors: (n, width) unit vectors; distances are computed in blocks, so that memory grows with n alone.
    """
    count = len(vectors)
    if count < 2:
        return float("nan")
    total = 0.0
    for start in range(0, count, _BLOCK):
        rows = vectors[start : start + _BLOCK]
        potentials = np.exp(4 * (rows @ vectors[start:].T) - 4)  # of unit vectors: |u - v|² = 2 - 2 u·v
        total += float(np.triu(potentials, k=1).sum())
    return float(np.log(total / (count * (count - 1) / 2)))


def whole_set(pairs: Pairs, indexed: IndexedPairs, vectors: Vectors) -> Geometry:
    """Over the set as a whole: alignment of its true pairs, uniformity of its distinct sentences.

    Args:
        pairs: the set.
        indexed: its rows in `vectors`.
        vectors: (sentences, width) unit vectors of the distinct sentences.
    """
    true = pairs.gold >= ALIGNED
    return Geometry(
        alignment=alignment(vectors[indexed.first[true]], vectors[indexed.second[true]]),
        uniformity=uniformity(vectors),
    )


def batch_means(name: str, pairs: Pairs, indexed: IndexedPairs, vectors: Vectors) -> Geometry:
    """As MCSE's code reports them: the mean over batches of 128 pairs of what each batch gives.

    A batch without a true pair counts as alignment 0. Uniformity is over both sides of a batch, repeated sentences
    included. Batches do not cross the files of a year, and each file is sorted by length first.

    Args:
        name: of the set, which decides the order of its pairs.
        pairs, indexed, vectors: see `whole_set`.
    """
    batches = [rows[at : at + _BATCH] for rows in _files(name, pairs) for at in range(0, len(rows), _BATCH)]
    sides = [(vectors[indexed.first[rows]], vectors[indexed.second[rows]], pairs.gold[rows]) for rows in batches]
    return Geometry(
        alignment=float(np.mean([_batch_alignment(*side) for side in sides])),
        uniformity=float(np.mean([uniformity(np.concatenate([first, second])) for first, second, _ in sides])),
    )


def _batch_alignment(first: Vectors, second: Vectors, gold: NDArray[np.float64]) -> float:
    true = gold >= ALIGNED
    return alignment(first[true], second[true]) if true.any() else 0.0


def _files(name: str, pairs: Pairs) -> Sequence[NDArray[np.int64]]:
    """Rows in the order the original encodes them in."""
    if name not in STS_YEARS:
        return [np.arange(len(pairs.gold))]

    def key(row: int) -> tuple[int, int, float]:
        return len(pairs.first[row].split()), len(pairs.second[row].split()), float(pairs.gold[row])

    return [np.array(sorted(rows.tolist(), key=key)) for rows in pairs.subsets.values()]
