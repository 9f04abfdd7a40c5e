"""The exact kind, against brute force."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.indexes import flat
from service.search.indexes.flat import FlatIndex
from service.search.view import bits_of

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]
Nearest = Callable[..., tuple[NDArray[np.int64], Vectors]]


def filled(stored: Vectors) -> FlatIndex:
    index = FlatIndex(stored.shape[1])
    index.append(stored)
    return index


@pytest.mark.parametrize("k", [1, 10, 100, 3_600, 3_605])
@pytest.mark.parametrize("queries", [1, 70], ids=["scan", "matrix product"])
def test_search_equals_brute_force(mixed: Vectors, nearest: Nearest, k: int, queries: int) -> None:
    asked = mixed[-queries:]
    found = filled(mixed).nearest(asked, k, count=len(mixed), allowed=None)
    places, scores = nearest(mixed, asked, k, np.arange(len(mixed)))
    np.testing.assert_array_equal(found.places, places)
    np.testing.assert_array_equal(found.scores, scores)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_only_allowed_places_are_found(
    rng: np.random.Generator, mixed: Vectors, nearest: Nearest, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat, "BLOCK_CELLS", 40 * 70)
    allowed = np.flatnonzero(rng.random(len(mixed)) < share)
    found = filled(mixed).nearest(mixed[:40], 10, count=len(mixed), allowed=bits_of(allowed, len(mixed)))
    places, scores = nearest(mixed, mixed[:40], 10, allowed)
    np.testing.assert_array_equal(found.places, places)
    np.testing.assert_array_equal(found.scores, scores)


def test_places_behind_the_count_are_not_found(mixed: Vectors, nearest: Nearest) -> None:
    found = filled(mixed).nearest(mixed[:5], 10, count=100, allowed=None)
    np.testing.assert_array_equal(found.places, nearest(mixed, mixed[:5], 10, np.arange(100))[0])


def test_many_queries_that_tie_take_little_memory() -> None:
    index = filled(np.ones((100_000, 4), np.float32))
    tracemalloc.start()
    found = index.nearest(np.ones((128, 4), np.float32), 10, count=100_000, allowed=None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.places == np.arange(10)).all()
    assert peak < 64 * 1024**2, f"{peak} bytes; every place for every query would be 150 MB"


def test_only_queries_that_tie_are_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    index = filled(np.array([[1, n % 5] for n in range(10)], np.float32))
    again: list[Vectors] = []
    among = index._among

    def noting(queries: Vectors, *rest: Any) -> Any:
        again.append(queries)
        return among(queries, *rest)

    monkeypatch.setattr(index, "_among", noting)
    queries = np.array([[0, 1], [1, 0], [0, -1]], np.float32)
    found = index.nearest(queries, 2, count=10, allowed=None)
    assert found.places.tolist() == [[4, 9], [0, 1], [0, 5]]
    np.testing.assert_array_equal(np.concatenate(again), queries[1:2])


def test_an_empty_index_and_no_queries_give_empty_answers(vectors: Make) -> None:
    index = FlatIndex(8)
    assert index.nearest(vectors(3), 5, count=0, allowed=None).places.shape == (3, 0)
    index.append(vectors(1))
    assert index.nearest(vectors(0), 5, count=1, allowed=None).scores.shape[0] == 0


def test_the_longest_allowed_vectors_score_finitely() -> None:
    index = filled(np.array([[9e17, 0], [-9e17, 0]], np.float32))
    found = index.nearest(np.array([[9e17, 0]], np.float32), 2, count=2, allowed=None)
    assert np.isfinite(found.scores).all()


def test_vectors_come_back_as_they_went_in(mixed: Vectors) -> None:
    places = np.array([5, 0, 3_599])
    np.testing.assert_array_equal(filled(mixed).vectors_at(places), mixed[places])
