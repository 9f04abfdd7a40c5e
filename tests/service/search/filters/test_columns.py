"""Ranges that are each asked once: after a few, the numbers of their field are in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.filters.cache import MOST_READ, FilterCache
from service.search.filters.columns import ASKED_BEFORE, Column, Columns
from service.search.filters.model import Filter, Leaf, Range, TimeRange
from service.search.filters.times import seconds
from service.search.points import Metadata, PointId
from service.search.view import places_of
from tests.service.search.filters.dictionary import DictionaryStore

MEGABYTE = 1_000_000
SMALL = st.sampled_from([-2, -0.5, 0, 1, 2.5, 3])


@pytest.fixture
def store() -> DictionaryStore:
    """A hundred points: `n` is the id and its negative, every tenth has none; `at` is a time."""
    store = DictionaryStore()
    store.add(*((number, point(number) if number % 10 else {}) for number in range(100)))
    return store


def point(number: int) -> Metadata:
    return {"n": [number, -number], "at": f"2024-01-01T00:00:{number % 60:02}Z"}


@pytest.fixture
def cache(store: DictionaryStore) -> FilterCache:
    """One that has been asked often enough."""
    cache = FilterCache(store, MEGABYTE)
    for number in range(ASKED_BEFORE + 1):
        found(cache, store, Range("n", gt=1000 + number))
    store.asked.clear()
    return cache


def found(cache: FilterCache, store: DictionaryStore, leaf: Leaf) -> list[PointId]:
    view = store.view()
    bits = cache.bits(Filter(must=(leaf,)), view)
    assert bits is not None
    assert sorted(map(str, store.ids(view, bits))) == sorted(map(str, store.expected(Filter(must=(leaf,)))))
    return store.ids(view, bits)


def test_the_first_ranges_of_a_field_ask_the_table(store: DictionaryStore) -> None:
    cache = FilterCache(store, MEGABYTE)
    for number in range(ASKED_BEFORE):
        found(cache, store, Range("n", gt=number))
    assert store.asked.count("table") == ASKED_BEFORE
    assert "numbers" not in store.asked


def test_later_ones_ask_nothing(store: DictionaryStore, cache: FilterCache) -> None:
    assert found(cache, store, Range("n", gte=95)) == [95, 96, 97, 98, 99]
    assert found(cache, store, Range("n", gt=95, lt=98)) == [96, 97]
    assert found(cache, store, Range("n", lte=-97)) == [97, 98, 99]
    assert found(cache, store, Range("n", gt=97, lt=95)) == []
    assert store.asked == []


def test_other_fields_and_times_have_columns_of_their_own(store: DictionaryStore, cache: FilterCache) -> None:
    for number in range(ASKED_BEFORE + 3):
        found(cache, store, Range("missing", gt=number))
        found(cache, store, TimeRange("at", gt=seconds(f"2024-01-01T00:00:{50 + number}Z")))
    assert store.asked.count("numbers") == 2


def test_new_points_are_read_and_deleted_ones_gone(store: DictionaryStore, cache: FilterCache) -> None:
    store.add((3, {"n": 1000}), ("new", {"n": 96}))
    store.delete(97)
    assert found(cache, store, Range("n", gte=95)) == [95, 96, 98, 99, 3, "new"]
    assert {asked for asked in store.asked if asked != "current"} == {"after 203"}


def test_after_many_new_points_and_after_a_rebuild_the_table_is_asked_again(
    store: DictionaryStore, cache: FilterCache
) -> None:
    store.add(*((number, point(number)) for number in range(200, 201 + MOST_READ)))
    found(cache, store, Range("n", gte=1150))
    assert "table" in store.asked
    store.asked.clear()
    store.delete(50)
    store.rebuild()
    found(cache, store, Range("n", gte=1151))
    assert "table" in store.asked


def test_an_older_view_gets_what_it_has(store: DictionaryStore) -> None:
    cache, before = FilterCache(store, MEGABYTE), store.view()
    store.add((3, {"n": 500}))
    for number in range(ASKED_BEFORE + 1):
        found(cache, store, Range("n", gt=1000 + number))
    assert cache.bits(Filter(must=(Range("n", gte=1, lt=5),)), before) is None


def test_whole_numbers_that_no_float_can_tell_apart_stay_in_the_table(store: DictionaryStore) -> None:
    cache = FilterCache(store, MEGABYTE)
    store.add(("big", {"n": 2**53}), ("bigger", {"n": 2**53 + 1}))
    for _ in range(ASKED_BEFORE + 2):
        assert found(cache, store, Range("n", gt=2**53)) == ["bigger"]
        assert found(cache, store, Range("n", gt=100, lte=2**53)) == ["big"]


def test_columns_stay_within_their_memory() -> None:
    columns = Columns(1_000)
    for field in "abc":
        columns.keep(0, field, Column(np.arange(25.0), np.arange(25), 25))
    assert columns.get(0, "a") is None
    assert columns.get(0, "b") is not None
    assert columns.get(1, "b") is None


@given(st.lists(SMALL, max_size=12), *[st.none() | SMALL] * 4)
def test_a_column_lets_through_what_the_bounds_say(
    values: list[float], gt: float | None, gte: float | None, lt: float | None, lte: float | None
) -> None:
    order = np.argsort(values, kind="stable")
    column = Column.of(np.array(values, np.float64)[order], order.astype(np.int64), len(values))
    assert column is not None
    expected = [
        place
        for place, value in enumerate(values)
        if (gt is None or value > gt)
        and (gte is None or value >= gte)
        and (lt is None or value < lt)
        and (lte is None or value <= lte)
    ]
    assert places_of(column.within(Range("n", gt, gte, lt, lte))).tolist() == expected
