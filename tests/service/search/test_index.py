"""Exact search in memory, against brute force."""

import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.search.index import FlatIndex

Vectors: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.int64]
Make: TypeAlias = Callable[..., Vectors]
BruteForce: TypeAlias = Callable[..., tuple[Vectors, Rows]]


def numbered(*rows: int) -> Rows:
    return np.array(rows, np.int64)


@pytest.fixture
def mixed(rng: np.random.Generator, vectors: Make) -> Vectors:
    """3,000 random, 500 clustered around 5 centres and 100 copies of one vector, in random order; whole numbers, so
    that every way of adding up gives the same score and ties are exact."""
    centres = vectors(5, 32)[rng.integers(0, 5, 500)]
    parts = [vectors(3_000, 32), centres + 0.1 * vectors(500, 32), np.repeat(vectors(1, 32), 100, axis=0)]
    return rng.permutation(np.round(np.concatenate(parts) * 20))


@pytest.mark.parametrize("k", [1, 10, 100, 3_600, 3_605])
@pytest.mark.parametrize("queries", [1, 70], ids=["scan", "matrix product"])
def test_search_equals_brute_force(mixed: Vectors, brute_force: BruteForce, k: int, queries: int) -> None:
    index = FlatIndex(32)
    index.add(np.arange(1, len(mixed) + 1), mixed)
    asked = mixed[-queries:]
    scores, rows = index.search(asked, k)
    expected_scores, expected = brute_force(mixed, asked, k)
    np.testing.assert_array_equal(rows, expected + 1)
    np.testing.assert_array_equal(scores, expected_scores)


def test_scores_of_unit_vectors_are_right_to_1e_6(vectors: Make, brute_force: BruteForce) -> None:
    stored = vectors(2_000, 64)
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    index = FlatIndex(64)
    index.add(np.arange(1, 2_001), stored)
    scores, _ = index.search(stored[:100], 10)
    np.testing.assert_allclose(scores, brute_force(stored, stored[:100], 10)[0], atol=1e-6)


def test_of_equal_scores_the_lower_rows_win() -> None:
    index = FlatIndex(2)
    index.add(np.arange(1, 1_001), np.ones((1_000, 2), np.float32))
    index.add(numbered(2_000), np.full((1, 2), 2, np.float32))
    _, rows = index.search(np.ones((1, 2), np.float32), 4)
    assert rows.tolist() == [[2_000, 1, 2, 3]]


def test_of_equal_scores_the_lower_rows_win_in_every_block_and_after_removals(
    mixed: Vectors, brute_force: BruteForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few different rows in small blocks: every query ties, with rows of the same block and of later ones."""
    monkeypatch.setattr("service.search.index.BLOCK_CELLS", 40 * 7)
    stored = np.concatenate([mixed[:10]] * 20)
    index = FlatIndex(32)
    index.add(np.arange(1, 201), stored)
    kept = np.setdiff1d(np.arange(200), [0, 3, 50, 199])
    index.remove(numbered(1, 4, 51, 200))
    for k in (1, 5, 30, 195):
        scores, rows = index.search(mixed[:40], k)
        expected_scores, expected = brute_force(stored[kept], mixed[:40], k)
        np.testing.assert_array_equal(rows, kept[expected] + 1)
        np.testing.assert_array_equal(scores, expected_scores)


def test_many_queries_that_tie_take_little_memory() -> None:
    index = FlatIndex(4)
    index.add(np.arange(1, 100_001), np.ones((100_000, 4), np.float32))
    tracemalloc.start()
    _, rows = index.search(np.ones((128, 4), np.float32), 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (rows == np.arange(1, 11)).all()
    assert peak < 64 * 1024**2, f"{peak} bytes; every row for every query would be 150 MB"


def test_only_queries_that_tie_are_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    index = FlatIndex(2)
    index.add(np.arange(1, 11), np.array([[1, n % 5] for n in range(10)], np.float32))
    again: list[Vectors] = []
    search = index._nearest_in_order

    def noting(queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        again.append(queries)
        return search(queries, k)

    monkeypatch.setattr(index, "_nearest_in_order", noting)
    queries = np.array([[0, 1], [1, 0], [0, -1]], np.float32)
    _, rows = index.search(queries, 2)
    assert rows.tolist() == [[5, 10], [1, 2], [1, 6]]
    np.testing.assert_array_equal(np.concatenate(again), queries[1:2])


def test_an_insert_does_not_look_for_what_to_remove(vectors: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAISS walks over every row to remove none."""
    index = FlatIndex(8)
    index.add(np.arange(1, 11), vectors(10))

    def walk(_selector: object) -> None:
        raise AssertionError

    monkeypatch.setattr(index._faiss, "remove_ids", walk)
    index.add(numbered(11), vectors(1))
    index.remove(numbered())
    assert len(index) == 11


def test_removed_rows_are_never_found(vectors: Make) -> None:
    index = FlatIndex(8)
    stored = vectors(50)
    index.add(np.arange(1, 51), stored)
    index.remove(numbered(7, 50, 999))
    _, rows = index.search(stored, 50)
    assert len(index) == rows.shape[1] == 48
    assert not {7, 50, 999} & set(rows.ravel().tolist())


def test_replacing_swaps_in_one_step(vectors: Make) -> None:
    index = FlatIndex(8)
    stored = vectors(3)
    index.add(numbered(1, 2), stored[:2])
    index.replace(numbered(1), numbered(3), stored[2:])
    assert sorted(index.search(stored[:1], 10)[1].ravel().tolist()) == [2, 3]


def test_an_empty_index_and_no_queries_give_empty_answers(vectors: Make) -> None:
    index = FlatIndex(8)
    assert index.search(vectors(3), 5)[1].shape == (3, 0)
    index.add(numbered(1), vectors(1))
    assert index.search(vectors(0), 5)[0].shape == (0, 0)


def test_the_last_row_can_go_and_the_index_be_filled_again(vectors: Make) -> None:
    index = FlatIndex(8)
    index.add(numbered(1), vectors(1))
    index.remove(numbered(1))
    index.add(numbered(2), vectors(1))
    assert index.search(vectors(1), 5)[1].tolist() == [[2]]


@pytest.mark.parametrize(
    "rows",
    [
        numbered(3, 3),
        numbered(4, 3),
        numbered(1, 2),
        numbered(0, 3),
        numbered(-1, 3),
        numbered(3),
        np.array([3.0, 4.5]),
    ],
    ids=["repeated", "falling", "used before", "zero", "minus one", "too few", "not whole"],
)
def test_wrong_row_numbers_are_refused_and_change_nothing(vectors: Make, rows: Rows) -> None:
    index = FlatIndex(8)
    index.add(numbered(1, 2), vectors(2))
    with pytest.raises(ValueError, match="row numbers"):
        index.replace(numbered(1), rows, vectors(2))
    assert len(index) == 2


def test_a_row_number_is_never_used_again(vectors: Make) -> None:
    index = FlatIndex(8)
    index.add(numbered(1, 2), vectors(2))
    index.remove(numbered(2))
    with pytest.raises(ValueError, match="must grow from 2"):
        index.add(numbered(2), vectors(1))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 7), np.float32),
        np.zeros((2, 8), np.float64),
        np.zeros(8, np.float32),
        np.full((2, 8), np.nan, np.float32),
        np.full((2, 8), np.inf, np.float32),
    ],
    ids=["narrow", "float64", "one axis", "nan", "infinite"],
)
def test_faiss_never_sees_a_wrong_vector(vectors: Make, wrong: Vectors) -> None:
    index = FlatIndex(8)
    index.add(numbered(1), vectors(1))
    with pytest.raises(InvalidInput):
        index.add(numbered(2, 3), wrong)
    with pytest.raises(InvalidInput):
        index.search(wrong, 1)
    assert len(index) == 1


def test_the_longest_allowed_vectors_score_finitely() -> None:
    index = FlatIndex(2)
    index.add(numbered(1, 2), np.array([[9e17, 0], [-9e17, 0]], np.float32))
    scores, _ = index.search(np.array([[9e17, 0]], np.float32), 2)
    assert np.isfinite(scores).all()


def test_searching_while_rows_come_and_go_gives_no_wrong_answer(vectors: Make) -> None:
    width, pinned = 16, 64
    stored = np.eye(width, dtype=np.float32).repeat(pinned // width, axis=0) * np.arange(1, pinned + 1)[:, None]
    stored = stored.astype(np.float32)
    index = FlatIndex(width)
    index.add(np.arange(1, pinned + 1), stored)
    best = {axis: int(np.flatnonzero(stored[:, axis])[-1]) + 1 for axis in range(width)}
    wrong: list[object] = []
    stop = threading.Event()

    def searcher() -> None:
        while not stop.is_set():
            _, rows = index.search(np.eye(width, dtype=np.float32), 1)
            found = dict(enumerate(rows[:, 0].tolist()))
            if found != best:
                wrong.append(found)

    threads = [threading.Thread(target=searcher) for _ in range(2)]
    for thread in threads:
        thread.start()
    last = pinned
    for _ in range(300):
        rows = np.arange(last + 1, last + 33)
        index.add(rows, -np.abs(vectors(32, width)))
        index.remove(rows)
        last += 32
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(index) == pinned


def test_nothing_else_in_the_room_imports_faiss() -> None:
    assert "faiss" in sys.modules["service.search.index"].__dict__
    others = [name for name in sys.modules if name.startswith("service.search.") and not name.endswith(".index")]
    assert not [name for name in others if "faiss" in sys.modules[name].__dict__]
