"""Collections that nobody tends but the test, and sizes so small that a few hundred points are many."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded import kinds, rebuild, tending
from service.search.embedded.collection import StoredCollection
from service.search.indexes import ivf
from service.search.points import Point, PointId, Search

Vectors = NDArray[np.float32]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 400 points on a collection is large, from 100 its index is kept."""
    sizes: dict[ModuleType, dict[str, Any]] = {
        kinds: {"APPROXIMATE_FROM": 400, "BACK_BELOW": 200, "REBUILD_FEWEST": 16},
        ivf: {"FEWEST": 400, "lists_for": lambda count: max(2, count // 50)},
        tending: {"KEEP_FROM": 100, "LAST_GO": 8},
        rebuild: {"CHUNK": 64},
    }
    for module, changes in sizes.items():
        for name, size in changes.items():
            monkeypatch.setattr(module, name, size)


@pytest.fixture
def settle() -> Callable[[StoredCollection], int]:
    """Tend a collection until there is nothing to do; returns how many pieces of work there were."""

    def tend(collection: StoredCollection) -> int:
        done = 0
        while tending.tend(collection):
            done += 1
            assert done < 1_000, "the work never ends"
        return done

    return tend


@pytest.fixture
def write() -> Callable[..., None]:
    """Write vectors (n, width) under the ids from `first` on; each point has its id as text and as metadata `n`."""

    def upsert(collection: StoredCollection, vectors: Vectors, first: int = 0) -> None:
        for start in range(0, len(vectors), 500):
            numbers = range(start, min(start + 500, len(vectors)))
            collection.upsert([Point(first + n, vectors[n], f"point {first + n}", {"n": first + n}) for n in numbers])

    return upsert


@pytest.fixture
def exact() -> Callable[..., list[list[PointId]]]:
    """The ids that an exact search finds for each query, best first."""

    def ids(collection: StoredCollection, queries: Vectors, limit: int = 20) -> list[list[PointId]]:
        found = collection.search(Search(queries, limit=limit, exact=True, with_text=False, with_metadata=False))
        return [[hit.id for hit in hits] for hits in found]

    return ids
