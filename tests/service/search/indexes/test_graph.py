"""The graph: what it finds, what it leaves out, and that it can be searched while it grows."""

import io
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.indexes.graph import GraphIndex, is_available
from service.search.view import bits_of, first_places, none

pytestmark = pytest.mark.skipif(not is_available(), reason="the kernel is not built for this machine (make kernels)")

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]
Nearest = Callable[..., tuple[NDArray[np.int64], Vectors]]

COUNT = 20_000


@pytest.fixture(scope="module")
def stored() -> Vectors:
    """Unit vectors in 100 loose clusters, wide enough for the graph to matter."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((100, 48), dtype=np.float32)
    vectors = centres[rng.integers(0, 100, COUNT)] + 0.8 * rng.standard_normal((COUNT, 48), dtype=np.float32)
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def linked(stored: Vectors, *, keep_vectors: bool = True, threads: int = 2) -> GraphIndex:
    index = GraphIndex(stored.shape[1], keep_vectors=keep_vectors)
    index.append(stored)
    while index.unfinished():
        index.tend(threads, len(index))
    return index


@pytest.fixture(scope="module")
def graph(stored: Vectors) -> GraphIndex:
    return linked(stored)


def grow(index: GraphIndex, vectors: Vectors) -> None:
    for start in range(0, len(vectors), 500):
        index.append(vectors[start : start + 500])
        while index.unfinished():
            index.tend(2, len(index))


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), truth.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


def test_recall_is_above_095_and_scores_are_exact(graph: GraphIndex, stored: Vectors, nearest: Nearest) -> None:
    queries = stored[:200]
    found = graph.nearest(queries, 10, count=COUNT, allowed=None)
    assert recall(found.places, nearest(stored, queries, 10, np.arange(COUNT))[0]) > 0.95
    exact = np.einsum("qkd,qd->qk", stored[found.places], queries)
    np.testing.assert_allclose(found.scores, exact, atol=1e-6)
    assert (np.diff(found.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("share", [0.6, 0.4, 0.2, 0.1, 0.02, 0.0005])
def test_recall_under_a_filter_is_above_095(
    graph: GraphIndex, stored: Vectors, nearest: Nearest, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.search.indexes.graph.SCAN_AT_MOST", 100)
    allowed = np.flatnonzero(np.random.default_rng(2).random(COUNT) < share)
    found = graph.nearest(stored[:200], 10, count=COUNT, allowed=bits_of(allowed, COUNT))
    truth = nearest(stored, stored[:200], 10, allowed)[0]
    assert np.isin(found.places[found.places >= 0], allowed).all()
    assert recall(found.places, truth) > 0.95


def test_an_exact_search_equals_brute_force(mixed: Vectors, nearest: Nearest) -> None:
    index = GraphIndex(32, keep_vectors=True)
    index.append(mixed)
    for k in (1, 10, 3_605):
        places, scores = nearest(mixed, mixed[:60], k, np.arange(len(mixed)))
        found = index.nearest_exactly(mixed[:60], k, count=len(mixed), allowed=None)
        np.testing.assert_array_equal(found.places, places)
        np.testing.assert_array_equal(found.scores, scores)


def test_an_exact_search_without_vectors_gives_all_that_may_be_among_the_best(
    stored: Vectors, nearest: Nearest
) -> None:
    index = GraphIndex(48, keep_vectors=False)
    index.append(stored)
    truth = nearest(stored, stored[:50], 10, np.arange(COUNT))[0]
    found = index.nearest_exactly(stored[:50], 10, count=COUNT, allowed=None)
    assert all(set(best) <= set(among) for best, among in zip(truth.tolist(), found.places.tolist(), strict=True))
    assert found.places.shape[1] < 2_000
    assert index.vectors_at(np.arange(3)) is None


def test_vectors_that_the_graph_has_not_taken_in_are_found(stored: Vectors, nearest: Nearest) -> None:
    index = linked(stored[:5_000])
    index.append(stored[5_000:])
    assert index.unfinished() == COUNT - 5_000
    found = index.nearest(stored[::100], 10, count=COUNT, allowed=None)
    assert recall(found.places, nearest(stored, stored[::100], 10, np.arange(COUNT))[0]) > 0.97


def test_places_behind_the_count_are_not_found(graph: GraphIndex, stored: Vectors) -> None:
    found = graph.nearest(stored[:100], 10, count=1_000, allowed=None)
    assert found.places.max() < 1_000


def test_fewer_places_than_wanted_leave_the_rest_empty(vectors: Make) -> None:
    index = GraphIndex(8, keep_vectors=True)
    assert index.nearest(vectors(2), 3, count=0, allowed=None).places.tolist() == [[-1] * 3] * 2
    index.append(vectors(2))
    found = index.nearest(vectors(1), 3, count=2, allowed=None)
    assert sorted(found.places[0].tolist()) == [-1, 0, 1]
    assert found.scores[0, 2] == -np.inf


def test_zero_vectors_and_long_ones_are_kept_rightly(nearest: Nearest) -> None:
    stored = np.array([[0, 0], [1e15, 0], [-1e-15, 1], [3, 4]], np.float32)
    index = GraphIndex(2, keep_vectors=True)
    index.append(stored)
    queries = np.array([[1, 1], [-1, 1e-3], [0, 0]], np.float32)
    found = index.nearest_exactly(queries, 4, count=4, allowed=None)
    np.testing.assert_array_equal(found.places, nearest(stored, queries, 4, np.arange(4))[0])


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_vectors_that_are_there_many_times_hide_nothing(
    stored: Vectors, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were each of them in the graph, they would link to each other alone, and no way would lead past them."""
    monkeypatch.setattr("service.search.indexes.graph.SCAN_AT_MOST", 100)
    rng = np.random.default_rng(3)
    often = stored[:5_000].copy()
    often[rng.random(5_000) < 0.5] = stored[-1]
    often[rng.random(5_000) < 0.1] = stored[-2]
    index = linked(often)
    allowed = np.flatnonzero(rng.random(5_000) < share)
    queries = np.concatenate([stored[-2:], often[:100] + 0.1 * rng.standard_normal((100, 48), dtype=np.float32)])
    found = index.nearest(queries, 10, count=5_000, allowed=bits_of(allowed, 5_000))
    assert np.isin(found.places, allowed).all()
    assert all(len(set(places)) == 10 for places in found.places.tolist())
    worst = np.sort(queries @ often[allowed].T, axis=1)[:, -10]
    assert np.mean(found.scores[:, -1] >= worst - 1e-5) > 0.95


@pytest.mark.parametrize("keep", [True, False])
def test_a_saved_index_answers_as_before(stored: Vectors, keep: bool) -> None:
    index = linked(stored[:17_000], keep_vectors=keep)
    file = io.BytesIO()
    index.save(file, 17_000)
    file.seek(0)
    again = GraphIndex.load(file, 48, keep_vectors=keep)
    asked = {"count": 17_000, "allowed": None}
    before = index.nearest(stored[:50], 10, **asked)  # type: ignore[arg-type]
    after = again.nearest(stored[:50], 10, **asked)  # type: ignore[arg-type]
    np.testing.assert_array_equal(before.places, after.places)
    np.testing.assert_array_equal(before.scores, after.scores)
    again.append(stored[17_000:])
    again.tend(1, len(again))
    assert again.unfinished() == COUNT - 17_000 - 256


def test_a_file_that_ends_early_is_refused(stored: Vectors) -> None:
    file = io.BytesIO()
    linked(stored[:1_000]).save(file, 1_000)
    cut = io.BytesIO(file.getvalue()[:-10])
    with pytest.raises(EOFError):
        GraphIndex.load(cut, 48, keep_vectors=True)


def test_the_same_vectors_give_the_same_graph(stored: Vectors) -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        linked(stored[:3_000], threads=1).save(file, 3_000)
    assert files[0].getvalue()[:32] == files[1].getvalue()[:32]
    first, second = (GraphIndex.load(io.BytesIO(file.getvalue()), 48, keep_vectors=True) for file in files)
    found = [
        one.nearest(stored[3_000:3_200], 10, count=3_000, allowed=None, breadth=12).places for one in (first, second)
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_searches_beside_growth_are_never_wrong(stored: Vectors) -> None:
    """Searchers ask for points that are there while others are appended and taken into the graph by two threads."""
    index = linked(stored[:2_000])
    wrong: list[object] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            found = index.nearest(stored[:2_000:40], 1, count=2_000, allowed=None, breadth=64).places[:, 0]
            if found.min() < 0 or found.max() >= 2_000 or np.mean(found == np.arange(0, 2_000, 40)) < 0.9:
                wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    grow(index, stored[2_000:])
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    found = index.nearest(stored[::100], 1, count=COUNT, allowed=None)
    assert np.mean(found.places[:, 0] == np.arange(0, COUNT, 100)) > 0.97


def test_a_width_the_kernel_has_no_room_for_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 8192"):
        GraphIndex(8_193, keep_vectors=True)


@pytest.mark.parametrize("keep", [True, False])
def test_a_search_for_nothing_finds_nothing(stored: Vectors, keep: bool) -> None:
    """So an empty collection is asked under a filter; a checked build tells of a read before the first hit."""
    index = GraphIndex(48, keep_vectors=keep)
    assert index.nearest(stored[:2], 0, count=0, allowed=none(0)).places.shape == (2, 0)
    index.append(stored[:9])
    for allowed in (None, first_places(9)):
        assert index.nearest(stored[:2], 0, count=9, allowed=allowed).places.shape == (2, 0)
        assert index.nearest_exactly(stored[:2], 0, count=9, allowed=allowed).places.shape == (2, 0)


def test_two_threads_that_begin_a_graph_lose_nobody() -> None:
    """Both find an empty graph; were both to begin it, one place would be linked to nobody."""
    vectors = np.random.default_rng(5).standard_normal((64, 8), dtype=np.float32)
    for _ in range(100):
        index = linked(vectors, threads=8)
        assert sorted(index.nearest(vectors[:1], 64, count=64, allowed=None).places[0].tolist()) == [*range(64)]
