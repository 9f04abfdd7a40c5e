"""The kind of lists: what it finds, and exact searches through it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.indexes.base import NotNow
from service.search.indexes.ivf import IvfIndex
from service.search.view import bits_of

Vectors = NDArray[np.float32]
Nearest = Callable[..., tuple[NDArray[np.int64], Vectors]]

COUNT = 12_000


@pytest.fixture(scope="module")
def stored() -> Vectors:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((60, 32), dtype=np.float32)
    vectors = centres[rng.integers(0, 60, COUNT)] + 0.6 * rng.standard_normal((COUNT, 32), dtype=np.float32)
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def lists(stored: Vectors) -> IvfIndex:
    index = IvfIndex.trained(stored[:8_000], count=COUNT, keep_vectors=True)
    index.append(stored)
    return index


def test_recall_is_above_090_with_and_without_a_filter(lists: IvfIndex, stored: Vectors, nearest: Nearest) -> None:
    for share in (1.0, 0.5, 0.01):
        allowed = np.flatnonzero(np.random.default_rng(3).random(COUNT) < share)
        bits = None if share == 1.0 else bits_of(allowed, COUNT)
        found = lists.nearest(stored[:100], 10, count=COUNT, allowed=bits).places
        truth = nearest(stored, stored[:100], 10, allowed)[0]
        hits = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), truth.tolist(), strict=True)]
        assert np.mean(hits) > 0.9, share
        assert np.isin(found[found >= 0], allowed).all()


def test_places_behind_the_count_are_not_found(lists: IvfIndex, stored: Vectors) -> None:
    for found in (
        lists.nearest(stored[:200], 10, count=1_000, allowed=None),
        lists.nearest_exactly(stored[:200], 10, count=1_000, allowed=None),
    ):
        assert found.places.max() < 1_000


def test_an_exact_search_equals_brute_force_with_ties(nearest: Nearest) -> None:
    whole = np.random.default_rng(4).integers(-3, 4, (COUNT, 8)).astype(np.float32)
    index = IvfIndex.trained(whole, count=COUNT, keep_vectors=True)
    index.append(whole)
    found = index.nearest_exactly(whole[:30], 10, count=COUNT, allowed=None)
    places, scores = nearest(whole, whole[:30], 10, np.arange(COUNT))
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.places, places)


def test_a_saved_index_answers_as_before(lists: IvfIndex, stored: Vectors) -> None:
    file = io.BytesIO()
    lists.save(file, COUNT)
    again = IvfIndex.load(io.BytesIO(file.getvalue()), 32, keep_vectors=True)
    found = [one.nearest(stored[:20], 10, count=COUNT, allowed=None).places for one in (lists, again)]
    np.testing.assert_array_equal(found[0], found[1])
    with pytest.raises(NotNow):
        lists.save(file, COUNT - 1)


def test_bytes_instead_of_vectors_are_told(stored: Vectors) -> None:
    index = IvfIndex.trained(stored, count=COUNT, keep_vectors=False)
    index.append(stored)
    assert not index.exact_scores
    assert index.vectors_at(np.arange(2)) is None
    assert index.memory_bytes() < 0.4 * COUNT * 32 * 4 + index.lists * 32 * 4 + COUNT * 16


def test_an_exact_search_over_bytes_leaves_no_place_out_that_may_be_among_the_best() -> None:
    rng = np.random.default_rng(5)
    near = rng.standard_normal(16) + 0.002 * rng.standard_normal((2_000, 16))  # bytes cannot tell them apart
    stored = np.concatenate([near, rng.standard_normal((200, 16))]).astype(np.float32)
    index = IvfIndex.trained(stored, count=len(stored), keep_vectors=False)
    index.append(stored)
    queries = np.concatenate([stored[:50], np.zeros((1, 16), np.float32)])
    found = index.nearest_exactly(queries, 3, count=len(stored), allowed=None)
    truth = np.argsort(-(queries @ stored.T), axis=1, kind="stable")[:, :3]
    for places, best in zip(found.places.tolist(), truth.tolist(), strict=True):
        assert set(best) <= set(places)
    file = io.BytesIO()
    index.save(file, len(stored))
    again = IvfIndex.load(io.BytesIO(file.getvalue()), 16, keep_vectors=False)
    np.testing.assert_array_equal(
        again.nearest_exactly(queries, 3, count=len(stored), allowed=None).places, found.places
    )
