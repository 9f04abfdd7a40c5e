"""Sets of places, and the view that no write changes."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.view import (
    View,
    bits_of,
    first_places,
    none,
    places_of,
    places_of_rows,
    size_of,
    with_changes,
)

COUNTS = [0, 1, 7, 8, 63, 64, 65, 200]
SETS = st.integers(1, 300).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1))))


def a_view(rows: list[int]) -> View:
    room = np.array([*rows, 99, 98], np.int64)  # what is behind the count is nobody's
    return View(0, len(rows), room, first_places(len(rows)), len(rows))


@given(SETS)
def test_a_set_has_the_places_it_was_made_of(given_set: tuple[int, set[int]]) -> None:
    count, places = given_set
    bits = bits_of(np.array(sorted(places), np.int64), count)
    assert places_of(bits).tolist() == sorted(places)
    assert size_of(bits) == len(places)


@pytest.mark.parametrize("count", COUNTS)
def test_sets_are_whole_words_long(count: int) -> None:
    for bits in (none(count), first_places(count), bits_of(np.arange(count), count)):
        assert bits.dtype == np.uint8
        assert len(bits) % 8 == 0
        assert count <= len(bits) * 8 < count + 64


@pytest.mark.parametrize("count", COUNTS)
def test_the_first_places_are_all_below_the_count(count: int) -> None:
    assert places_of(first_places(count)).tolist() == list(range(count))
    assert size_of(none(count)) == 0


def test_the_lowest_bit_is_the_first_place() -> None:
    assert bits_of(np.array([0, 9]), 10).tolist() == [1, 2, 0, 0, 0, 0, 0, 0]


@given(SETS, st.data())
def test_a_change_makes_another_set_and_leaves_the_old_one(
    given_set: tuple[int, set[int]], data: st.DataObject
) -> None:
    count, places = given_set
    removed = data.draw(st.sets(st.sampled_from(sorted(places)))) if places else set()
    grown = count + data.draw(st.integers(0, 100))
    before = bits_of(np.array(sorted(places), np.int64), count)
    kept = before.copy()
    after = with_changes(before, grown, added=np.arange(count, grown), removed=np.array(sorted(removed), np.int64))
    assert places_of(after).tolist() == [*sorted(places - removed), *range(count, grown)]
    np.testing.assert_array_equal(before, kept)


def test_several_places_of_one_byte_change_together() -> None:
    after = with_changes(first_places(8), 8, added=np.empty(0, np.int64), removed=np.array([1, 2, 2, 7]))
    assert places_of(after).tolist() == [0, 3, 4, 5, 6]


def test_rows_are_found_in_the_order_of_the_question() -> None:
    view = a_view([3, 5, 8, 13])
    assert places_of_rows(np.array([13, 3, 8]), view).tolist() == [3, 0, 2]


def test_rows_that_the_view_does_not_have_are_left_out() -> None:
    view = a_view([3, 5, 8, 13])
    assert places_of_rows(np.array([1, 5, 6, 14, 98, 99]), view).tolist() == [1]
    assert places_of_rows(np.array([5, 99]), a_view([])).tolist() == []


def test_a_view_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        a_view([1]).count = 2  # type: ignore[misc]
