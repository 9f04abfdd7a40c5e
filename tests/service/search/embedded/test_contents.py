"""What a collection has in memory: each change makes another state and leaves the old one as it was."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded.contents import Contents, changed, empty, from_parts, with_live
from service.search.embedded.ids import IdColumn
from service.search.indexes.flat import FlatIndex
from service.search.points import PointId
from service.search.view import bits_of, places_of

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def with_points(before: Contents, rows: range, vectors: Vectors, change: int = 1) -> Contents:
    return changed(before, numbers(), np.array(rows), [f"p{row}" for row in rows], vectors, change)


def nearest(contents: Contents, query: Vectors) -> list[PointId]:
    found = contents.index.nearest(query[None], 1, count=contents.view.count, allowed=contents.view.live)
    return contents.ids.many(found.places[0])


def test_an_empty_collection_has_no_places() -> None:
    contents = empty(FlatIndex(8), generation=3)
    assert (contents.view.generation, contents.view.count, contents.view.live_count) == (3, 0, 0)
    assert (len(contents.ids), len(contents.index), contents.all_live) == (0, 0, True)


def test_a_write_gives_the_next_places_to_its_rows() -> None:
    made = np.eye(5, 8, dtype=np.float32)
    one = with_points(empty(FlatIndex(8)), range(10, 13), made[:3])
    two = with_points(one, range(20, 22), made[3:], change=2)
    assert two.view.rows[: two.view.count].tolist() == [10, 11, 12, 20, 21]
    assert two.ids.many(np.arange(5)) == ["p10", "p11", "p12", "p20", "p21"]
    assert (two.view.live_count, two.view.change, two.all_live) == (5, 2, True)
    assert [nearest(two, vector) for vector in made] == [["p10"], ["p11"], ["p12"], ["p20"], ["p21"]]


def test_the_state_before_a_write_stays_as_it_was(vectors: Make) -> None:
    one = with_points(empty(FlatIndex(8)), range(1, 101), vectors(100))
    rows, live = one.view.rows[:100].copy(), one.view.live.copy()
    two = changed(one, numbers(3, 50), numbers(200), ["new"], vectors(1), 2)
    assert (one.view.count, one.view.live_count, one.view.change) == (100, 100, 1)
    np.testing.assert_array_equal(one.view.rows[:100], rows)
    np.testing.assert_array_equal(one.view.live, live)
    assert (two.view.count, two.view.live_count, two.all_live) == (101, 99, False)
    assert sorted(set(range(101)) - set(places_of(two.view.live).tolist())) == [2, 49]


def test_states_outlive_the_room_they_began_with(vectors: Make) -> None:
    states = [empty(FlatIndex(8))]
    for start in range(1, 5_001, 500):
        states.append(with_points(states[-1], range(start, start + 500), vectors(500)))
    for position, state in enumerate(states):
        assert state.view.rows[: state.view.count].tolist() == list(range(1, 500 * position + 1))


def test_rows_that_are_not_there_are_not_removed_twice(vectors: Make) -> None:
    one = with_points(empty(FlatIndex(8)), range(1, 4), vectors(3))
    assert changed(one, numbers(9, 2, 0), numbers(), [], vectors(0), 2).view.live_count == 2


@pytest.mark.parametrize("rows", [(3,), (2,), (0,), (5, 5), (6, 5)])
def test_rows_that_do_not_grow_are_refused_before_anything_changes(rows: tuple[int, ...], vectors: Make) -> None:
    one = with_points(empty(FlatIndex(8)), range(1, 4), vectors(3))
    with pytest.raises(ValueError, match="row numbers must grow"):
        changed(one, numbers(), numbers(*rows), ["x"] * len(rows), vectors(len(rows)), 2)
    assert (len(one.index), len(one.ids), one.view.rows[:3].tolist()) == (3, 3, [1, 2, 3])


def test_row_zero_is_refused_in_an_empty_collection(vectors: Make) -> None:
    with pytest.raises(ValueError, match="row numbers must grow"):
        changed(empty(FlatIndex(8)), numbers(), numbers(0), ["x"], vectors(1), 1)


def test_parts_from_elsewhere_are_all_live_until_told_otherwise(vectors: Make) -> None:
    index, ids = FlatIndex(8), IdColumn()
    index.append(vectors(3))
    ids.extend("abc")
    made = from_parts(index, ids, numbers(4, 6, 9), generation=7)
    assert (made.view.generation, made.view.count, made.all_live) == (7, 3, True)
    less = with_live(made, bits_of(numbers(0, 2), 3), 2, 5)
    assert (less.view.live_count, less.view.change, less.view.generation) == (2, 5, 7)
    assert (made.view.live_count, made.view.change) == (3, 0)
    assert less.index is made.index


def test_memory_counts_every_part(vectors: Make) -> None:
    one = with_points(empty(FlatIndex(8)), range(1, 1_001), vectors(1_000))
    assert one.memory_bytes >= 1_000 * (8 * 4 + 5 + 8 + 8)
