"""An index is built anew in several goes, and nothing is lost between them."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded import rebuild as rebuild_module
from service.search.embedded.contents import Contents, changed, empty
from service.search.embedded.rebuild import Rebuild, Rows
from service.search.indexes.base import Vectors
from service.search.indexes.flat import FlatIndex
from service.search.indexes.ivf import IvfIndex
from service.search.view import places_of

Make = Callable[..., NDArray[np.float32]]

NOTHING = np.empty(0, np.int64)


@pytest.fixture(autouse=True)
def chunks_of_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_module, "CHUNK", 7)


def add(before: Contents, rows: range, vectors: Vectors, removed: Rows = NOTHING) -> Contents:
    return changed(before, removed, np.array(rows, np.int64), [f"p{row}" for row in rows], vectors, rows.stop)


def never(rows: Rows) -> tuple[Rows, Vectors]:
    raise AssertionError("the store was asked")


def alive(contents: Contents) -> dict[object, tuple[int, list[float]]]:
    """Id -> row and vector, of all that is there."""
    places = places_of(contents.view.live)
    vectors = contents.index.vectors_at(places)
    assert vectors is not None
    rows = contents.view.rows[places].tolist()
    return dict(zip(contents.ids.many(places), zip(rows, vectors.tolist(), strict=True), strict=True))


def test_deleted_places_are_left_behind(vectors: Make) -> None:
    before = add(empty(FlatIndex(8)), range(1, 51), vectors(50))
    before = changed(before, np.arange(1, 40, 2), NOTHING, [], vectors(0), 60)
    rebuild = Rebuild(FlatIndex(8), never)
    assert rebuild.behind(before) == 50
    rebuild.take_over(before)
    assert rebuild.behind(before) == 0
    after = rebuild.finish(before)
    assert (after.view.count, after.view.live_count, after.all_live) == (30, 30, True)
    assert (after.view.generation, after.view.change) == (1, 60)
    assert alive(after) == alive(before)


def test_what_is_written_between_the_goes_is_there_and_what_is_deleted_is_not(vectors: Make) -> None:
    now = add(empty(FlatIndex(8)), range(1, 31), vectors(30))
    rebuild = Rebuild(FlatIndex(8), never)
    rebuild.take_over(now)
    now = add(now, range(40, 50), vectors(10), removed=np.array([2, 3, 30]))
    now = changed(now, np.array([41]), NOTHING, [], vectors(0), 51)  # written and deleted between two goes
    assert rebuild.behind(now) == 10
    rebuild.take_over(now)
    now = changed(now, np.array([4, 49]), NOTHING, [], vectors(0), 52)
    after = rebuild.finish(now)
    assert alive(after) == alive(now)
    assert (after.view.live_count, after.view.change) == (now.view.live_count, 52)
    assert after.view.rows[: after.view.count].tolist() == sorted(after.view.rows[: after.view.count].tolist())


def test_the_state_that_is_rebuilt_stays_as_it_was(vectors: Make) -> None:
    before = add(empty(FlatIndex(8)), range(1, 31), vectors(30))
    held = alive(before)
    rebuild = Rebuild(FlatIndex(8), never)
    rebuild.take_over(before)
    after = add(rebuild.finish(before), range(31, 41), vectors(10))
    assert (alive(before), before.view.generation, len(before.index)) == (held, 0, 30)
    assert after.view.live_count == 40


def test_vectors_that_the_index_does_not_keep_are_read(vectors: Make) -> None:
    made = vectors(700)
    before = add(empty(IvfIndex.trained(made, count=700, keep_vectors=False)), range(1, 701), made)
    before = changed(before, np.array([5]), NOTHING, [], vectors(0), 702)
    gone = {9, 700}  # the store has moved on already; the contents will hear of it

    def read(rows: Rows) -> tuple[Rows, Vectors]:
        there = rows[[row not in gone for row in rows.tolist()]]
        return there, made[there - 1]

    rebuild = Rebuild(FlatIndex(8), read)
    rebuild.take_over(before)
    before = changed(before, np.array([9, 700]), NOTHING, [], vectors(0), 703)
    after = rebuild.finish(before)
    expected = {f"p{row}": (row, made[row - 1].tolist()) for row in range(1, 700) if row not in (5, 9)}
    assert alive(after) == expected


def test_told_to_stop_it_does_so_between_two_chunks_and_goes_on_from_there(vectors: Make) -> None:
    before = add(empty(FlatIndex(8)), range(1, 51), vectors(50))
    asked = iter([False, False, True])
    rebuild = Rebuild(FlatIndex(8), never)
    rebuild.take_over(before, lambda: next(asked))
    assert (rebuild.behind(before), len(rebuild.index)) == (50 - 14, 14)
    rebuild.take_over(before)
    assert alive(rebuild.finish(before)) == alive(before)


def test_an_empty_collection_is_rebuilt_to_an_empty_one() -> None:
    rebuild = Rebuild(FlatIndex(8), never)
    rebuild.take_over(empty(FlatIndex(8)))
    after = rebuild.finish(empty(FlatIndex(8)))
    assert (after.view.count, after.view.generation, after.all_live) == (0, 1, True)
