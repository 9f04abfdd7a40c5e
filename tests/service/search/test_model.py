"""The room behaves like a dictionary plus brute force, whatever is done to it and in whatever order."""

import os
import random
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded.collection import StoredCollection as Collection
from service.search.embedded.collections import Collections
from service.search.points import Point, PointId

POOL: list[PointId] = [*range(20), *map(str, range(20))]
OPERATIONS = 400


class Model:
    """What the collection should hold: id -> (vector, text)."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.points: dict[PointId, tuple[NDArray[np.float32], str]] = {}

    def vector(self) -> NDArray[np.float32]:
        """Small whole numbers: ties are many, and every sum is exact."""
        return np.array([self.draw.randint(-2, 2) for _ in range(8)], np.float32)

    def upsert(self, real: Collection) -> None:
        ids = self.draw.sample(POOL, self.draw.randint(1, 8))
        made = [Point(one, self.vector(), str(self.draw.random())) for one in ids]
        done = real.upsert(made)
        assert done.replaced == sum(one in self.points for one in ids)
        assert done.inserted + done.replaced == len(ids)
        for point in made:  # a replaced point comes last among equals: it has a new row
            self.points.pop(point.id, None)
            self.points[point.id] = (point.vector, point.text or "")

    def delete(self, real: Collection) -> None:
        ids = self.draw.choices(POOL, k=self.draw.randint(1, 6))
        assert real.delete(ids) == sum(self.points.pop(one, None) is not None for one in ids)

    def get(self, real: Collection) -> None:
        ids = self.draw.choices(POOL, k=5)
        found = [(point.id, point.vector.tolist(), point.text) for point in real.get(ids)]
        assert found == [(one, self.points[one][0].tolist(), self.points[one][1]) for one in ids if one in self.points]

    def search(self, real: Collection) -> None:
        query, k = self.vector(), self.draw.choice([1, 3, 10, len(self.points) + 5])
        scored = [(float(vector @ query), one, text) for one, (vector, text) in self.points.items()]
        expected = sorted(scored, key=lambda entry: -entry[0])[:k]
        [hits] = real.search(query[None], k)
        assert [(hit.score, hit.id, hit.text) for hit in hits] == expected
        assert real.count() == len(self.points)


@pytest.mark.parametrize("seed", [int(os.environ.get("TEST_SEED", "1")), 2])
def test_the_collection_equals_a_dictionary_and_brute_force(open_data: Callable[..., Collections], seed: int) -> None:
    model = Model(random.Random(seed))
    collections = open_data()
    real = collections.create("cats", space="sentence", metric="dot")
    for _ in range(OPERATIONS):
        operation = model.draw.choices(["upsert", "delete", "get", "search", "reopen"], [30, 20, 15, 32, 3])[0]
        if operation == "reopen":
            collections.close()
            collections = open_data()
            real = collections.get("cats")
        else:
            getattr(model, operation)(real)
        assert collections.verify() == []
