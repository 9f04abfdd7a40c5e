"""Vectors to fill an index with, and brute force over those that are allowed."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]


@pytest.fixture
def mixed(rng: np.random.Generator, vectors: Callable[..., Vectors]) -> Vectors:
    """3,000 random, 500 clustered around 5 centres and 100 copies of one vector, in random order; whole numbers, so
    that every way of adding up gives the same score and ties are exact."""
    centres = vectors(5, 32)[rng.integers(0, 5, 500)]
    parts = [vectors(3_000, 32), centres + 0.1 * vectors(500, 32), np.repeat(vectors(1, 32), 100, axis=0)]
    return rng.permutation(np.round(np.concatenate(parts) * 20))


@pytest.fixture
def nearest() -> Callable[..., tuple[NDArray[np.int64], Vectors]]:
    """NumPy's answer among the places that are allowed: best score first, equal scores by the lower place."""

    def search(
        stored: Vectors, queries: Vectors, k: int, allowed: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Vectors]:
        scores = queries @ stored[allowed].T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return allowed[order], np.take_along_axis(scores, order, axis=1)

    return search
