"""Sets of places joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.filters.combine import combined, conditions_of, cut, every
from service.search.filters.evaluate import matches
from service.search.filters.model import Filter, HasId, IsNull
from service.search.points import Metadata
from service.search.view import bits_of, none, places_of, size_of
from tests.service.search.filters.strategies import FILTERS, METADATA


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 1000])
def test_every_place_is_below_the_count(count: int) -> None:
    bits = every(count)
    assert len(bits) == len(none(count))
    assert places_of(bits).tolist() == [*range(count)]
    assert size_of(cut(every(count + 100), count)) == count


def test_a_cut_set_is_another_one() -> None:
    bits = every(10)
    cut(bits, 10)[0] = 0
    assert size_of(bits) == 10


def test_conditions_are_found_at_every_depth() -> None:
    first, second, third = IsNull("a"), HasId((1,)), IsNull("b")
    filter = Filter(must=(first,), must_not=(Filter(should=(second, Filter(must=(third,)))),))
    assert [*conditions_of(filter)] == [first, second, third]


@pytest.mark.parametrize(("least", "places"), [(1, [0, 1, 2, 3]), (2, [1, 2]), (3, [2])])
def test_as_many_of_should_are_needed_as_it_says(least: int, places: list[int]) -> None:
    sets = {IsNull("a"): [0, 1, 2], IsNull("b"): [1, 2], IsNull("c"): [2, 3]}
    filter = Filter(should=tuple(sets), min_should=least)
    bits = combined(filter, 70, lambda leaf: bits_of(np.array(sets[leaf], np.int64), 70))  # type: ignore[index]
    assert places_of(bits).tolist() == places


@given(FILTERS, st.lists(METADATA, max_size=12))
def test_a_filter_lets_through_what_it_means(filter: Filter, points: list[Metadata]) -> None:
    def places(condition: object) -> list[int]:
        return [place for place, one in enumerate(points) if matches(condition, place, one)]  # type: ignore[arg-type]

    count = len(points)
    bits = combined(filter, count, lambda leaf: bits_of(np.array(places(leaf), np.int64), count))
    assert places_of(bits).tolist() == places(filter)
