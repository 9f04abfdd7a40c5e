"""What an exact search finds, by plain NumPy, and how much of it another one found."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HITS = 10
BLOCK = 64  # queries at a time: their scores against a million points take 256 MB

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]


def nearest(queries: Vectors, points: Vectors, hits: int = HITS) -> Positions:
    """(queries, hits) positions of the points with the greatest inner products, in no order."""
    found = [
        np.argpartition(queries[start : start + BLOCK] @ points.T, -hits, axis=1)[:, -hits:]
        for start in range(0, len(queries), BLOCK)
    ]
    return np.concatenate(found)


def recall(found: Sequence[Sequence[int]], truth: Positions) -> float:
    """The mean share of the true ones that were found.

    Raises:
        ValueError: there are not as many lists as queries.
    """
    shares = [len(set(some) & set(its)) / len(its) for some, its in zip(found, truth.tolist(), strict=True)]
    return float(np.mean(shares))
