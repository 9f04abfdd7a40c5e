"""What is kept of conditions, and for how long."""

from dataclasses import replace

import numpy as np

from service.search.filters.known import OVERHEAD_BYTES, Known, KnownSets, key_of
from service.search.filters.model import Leaf, MatchAny, MatchExcept, Range
from service.search.view import View, bits_of, none, places_of


def known(count: int, *places: int, certain: bool = True) -> Known:
    return replace(Known.of(bits_of(np.array(places, np.int64), count), count), certain=certain)


def view(count: int) -> View:
    return View(0, count, np.arange(count), none(count), 0)


def test_conditions_that_python_finds_equal_have_different_keys() -> None:
    conditions: list[Leaf] = [
        MatchAny("a", (1,)),
        MatchAny("a", (True,)),
        MatchAny("a", ("1",)),
        MatchExcept("a", (1,)),
        MatchAny("b", (1,)),
        MatchAny("a", (1, 1)),
        Range("a", gt=1),
        Range("a", gte=1),
    ]
    assert len({key_of(condition) for condition in conditions}) == len(conditions)
    assert key_of(MatchAny("a", ("x", 2))) == key_of(MatchAny("a", ("x", 2)))


def test_a_set_grows_and_the_old_one_stays_as_it_was() -> None:
    small = known(10, 2, 9)
    grown = small.grown(np.array([70, 99]), 100)
    assert places_of(grown.bits).tolist() == [2, 9, 70, 99]
    assert (grown.upto, grown.certain) == (100, False)
    assert places_of(small.bits).tolist() == [2, 9]
    assert not grown.bits.flags.writeable


def test_a_set_is_cut_for_a_smaller_view() -> None:
    assert places_of(known(100, 2, 9, 70).without_end(9)).tolist() == [2]


def test_a_set_holds_only_where_it_is_certain_and_not_for_older_views() -> None:
    assert known(10).holds_for(view(10))
    assert known(10).holds_for(view(11))
    assert not known(10).holds_for(view(9))
    assert not known(10, certain=False).holds_for(view(10))


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    sets = KnownSets(3 * (OVERHEAD_BYTES + 8))
    for key in (b"a", b"b", b"c"):
        sets.keep(0, key, known(64))
    assert sets.get(0, b"a")
    sets.keep(0, b"d", known(64))
    assert [key for key in (b"a", b"b", b"c", b"d") if sets.get(0, key)] == [b"a", b"c", b"d"]
    sets.keep(0, b"c", known(64 + 8 * OVERHEAD_BYTES))
    assert [key for key in (b"a", b"c", b"d") if sets.get(0, key)] == [b"c", b"d"]


def test_a_set_that_is_larger_than_the_room_is_not_kept_and_leaves_room_for_others() -> None:
    sets = KnownSets(OVERHEAD_BYTES + 8)
    sets.keep(0, b"a", known(1_000_000))
    assert sets.get(0, b"a") is None
    sets.keep(0, b"b", known(64))
    assert sets.get(0, b"b")


def test_another_generation_of_places_knows_nothing() -> None:
    sets = KnownSets(1_000_000)
    sets.keep(0, b"a", known(64))
    assert sets.get(1, b"a") is None
    sets.keep(1, b"a", known(8))
    sets.keep(0, b"b", known(64))
    assert sets.get(0, b"a") is None
    assert sets.get(0, b"b") is None
    assert sets.get(1, b"b") is None
    found = sets.get(1, b"a")
    assert found
    assert found.upto == 8


def test_sets_of_an_older_generation_take_no_room() -> None:
    sets = KnownSets(2 * (OVERHEAD_BYTES + 8))
    for generation in range(3):
        for key in (b"a", b"b"):
            sets.keep(generation, key, known(64))
    assert sets.get(2, b"a")
    assert sets.get(2, b"b")


def test_what_says_less_does_not_replace_what_says_more() -> None:
    sets = KnownSets(1_000_000)
    more, less = known(20), known(10)
    sets.keep(0, b"a", more)
    sets.keep(0, b"a", less)
    sets.keep(0, b"a", known(20, certain=False))
    assert sets.get(0, b"a") is more
    newer = known(30, certain=False)
    sets.keep(0, b"a", newer)
    assert sets.get(0, b"a") is newer
