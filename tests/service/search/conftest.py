"""Fixtures of the search room: seeded vectors, small data directories, and brute force to compare with."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded.collection import StoredCollection as Collection
from service.search.embedded.collections import Collections

Vectors: TypeAlias = NDArray[np.float32]

WIDTH = 8
FINGERPRINT = "a1b2c3d4e5f60718" * 4


@pytest.fixture
def fingerprint() -> str:
    """The running model's."""
    return FINGERPRINT


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded."""
    return np.random.default_rng(20_260_101)


@pytest.fixture
def vectors(rng: np.random.Generator) -> Callable[..., Vectors]:
    """Make (n, width) random float32 vectors."""

    def make(n: int, width: int = WIDTH) -> Vectors:
        return rng.standard_normal((n, width), dtype=np.float32)

    return make


@pytest.fixture
def open_data(tmp_path: Path) -> Iterator[Callable[..., Collections]]:
    """Open the data directory of this test; what is still open at the end is closed."""
    opened: list[Collections] = []

    def open_it(fingerprint: str = FINGERPRINT, max_points: int = 10_000, **given: Any) -> Collections:
        settings = {"fingerprint": fingerprint, "max_points": max_points, **given}
        opened.append(Collections.open(tmp_path / "data", dimensions={"sentence": WIDTH, "grounded": 4}, **settings))
        return opened[-1]

    yield open_it
    for collections in opened:
        collections.close()


@pytest.fixture
def collections(open_data: Callable[..., Collections]) -> Collections:
    """An empty, open data directory."""
    return open_data()


@pytest.fixture
def cats(collections: Collections) -> Collection:
    """An empty cosine collection of width 8."""
    return collections.create("cats", space="sentence")


@pytest.fixture
def brute_force() -> Callable[..., tuple[Vectors, NDArray[np.int64]]]:
    """NumPy's answer: best score first, equal scores by the lower row."""

    def search(stored: Vectors, queries: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
        scores = queries @ stored.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, axis=1), order

    return search
