"""Filters as sets of places, while points come and go."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Unavailable
from service.search.filters.cache import MOST_READ, FilterCache
from service.search.filters.model import Filter, HasId, IsEmpty, IsNull, Leaf, MatchAny, MatchExcept, MatchText, Range
from service.search.points import Metadata, PointId
from service.search.view import size_of
from tests.service.search.filters.dictionary import DictionaryStore
from tests.service.search.filters.strategies import FILTERS, IDS, METADATA

MEGABYTE = 1_000_000


@pytest.fixture
def store() -> DictionaryStore:
    """A hundred points: `even` says whether the id is, `tens` is missing below ten."""
    store = DictionaryStore()
    store.add(*((number, point(number)) for number in range(100)))
    return store


@pytest.fixture
def cache(store: DictionaryStore) -> FilterCache:
    return FilterCache(store, MEGABYTE)


def point(number: int) -> Metadata:
    return {"even": number % 2 == 0, "text": f"number {number}", **({"tens": number // 10} if number >= 10 else {})}


def only(leaf: Leaf | HasId) -> Filter:
    return Filter(must=(leaf,))


def found(cache: FilterCache, store: DictionaryStore, filter: Filter) -> list[PointId]:
    view = store.view()
    bits = cache.bits(filter, view)
    assert bits is not None
    return store.ids(view, bits)


EVEN, FIFTIES, MANY = MatchAny("even", (True,)), Range("tens", gte=5, lt=6), MatchText("text", ("number",))


def test_a_filter_lets_its_points_through(store: DictionaryStore, cache: FilterCache) -> None:
    assert found(cache, store, Filter(must=(EVEN, FIFTIES))) == [50, 52, 54, 56, 58]
    assert found(cache, store, only(IsEmpty("tens"))) == [*range(10)]
    assert found(cache, store, only(MatchText("text", ("7", "number")))) == [7]
    assert found(cache, store, only(HasId((3, "3", 200)))) == [3]
    assert found(cache, store, Filter()) == [*range(100)]


def test_an_empty_collection_has_no_places() -> None:
    store = DictionaryStore()
    cache = FilterCache(store, MEGABYTE)
    for leaf in (EVEN, MANY, IsEmpty("a"), HasId((1,))):
        bits = cache.bits(only(leaf), store.view())
        assert bits is not None
        assert len(bits) == 0


def test_no_place_beyond_the_view_is_set(store: DictionaryStore, cache: FilterCache) -> None:
    bits = cache.bits(Filter(must_not=(IsNull("a"),), should=(IsEmpty("a"), EVEN)), store.view())
    assert bits is not None
    assert size_of(bits) == 100


@pytest.mark.parametrize("leaf", [EVEN, FIFTIES, IsEmpty("tens"), MANY], ids=str)
def test_what_was_asked_once_is_not_asked_again(store: DictionaryStore, cache: FilterCache, leaf: Leaf) -> None:
    first = found(cache, store, only(leaf))
    store.asked.clear()
    assert found(cache, store, only(leaf)) == first
    assert found(cache, store, Filter(must=(leaf, leaf), must_not=(Filter(must_not=(leaf,)),))) == first
    assert store.asked == []


def test_true_is_not_found_where_one_was_asked_for(cache: FilterCache, store: DictionaryStore) -> None:
    assert len(found(cache, store, only(EVEN))) == 50
    assert found(cache, store, only(MatchAny("even", (1,)))) == []


@pytest.mark.parametrize("leaf", [EVEN, MatchExcept("tens", (5,)), IsEmpty("tens"), MANY], ids=str)
def test_new_points_are_read_and_nothing_else(store: DictionaryStore, cache: FilterCache, leaf: Leaf) -> None:
    before = found(cache, store, only(leaf))
    last_row = int(store.view().rows[-1])
    store.add((100, {**point(100), "tens": 10}), (101, {}))
    store.asked.clear()
    after = found(cache, store, only(leaf))
    assert after == store.expected(only(leaf))
    assert set(before) < set(after)
    assert store.asked == [f"after {last_row}", "current"]


@pytest.mark.parametrize("order", [(EVEN, FIFTIES), (FIFTIES, EVEN)], ids=["EVEN first", "FIFTIES first"])
def test_conditions_known_up_to_different_places_are_each_read_on(
    store: DictionaryStore, cache: FilterCache, order: tuple[Leaf, Leaf]
) -> None:
    found(cache, store, only(EVEN))
    store.add((100, point(54)))
    found(cache, store, only(FIFTIES))
    store.add((101, point(51)), (102, point(52)))
    assert found(cache, store, Filter(must=order)) == [50, 52, 54, 56, 58, 100, 102]


def test_with_many_new_points_the_table_is_asked_again(store: DictionaryStore, cache: FilterCache) -> None:
    found(cache, store, only(EVEN))
    store.add(*((number, point(number)) for number in range(100, 101 + MOST_READ)))
    store.asked.clear()
    assert found(cache, store, only(EVEN)) == [*range(0, 101 + MOST_READ, 2)]
    assert store.asked == ["table", "current"]


def test_a_replaced_point_is_found_as_what_it_is_now(store: DictionaryStore, cache: FilterCache) -> None:
    found(cache, store, Filter(must=(EVEN,), must_not=(FIFTIES,)))
    store.add((2, point(1)), (1, point(2)))
    store.delete(4)
    expected = [number for number in range(6, 100, 2) if number // 10 != 5]
    assert found(cache, store, Filter(must=(EVEN,), must_not=(FIFTIES,))) == [0, *expected, 1]


def test_a_rebuilt_index_is_compiled_anew(store: DictionaryStore, cache: FilterCache) -> None:
    found(cache, store, only(EVEN))
    store.delete(*range(10))
    old = store.view()
    store.rebuild()
    assert found(cache, store, only(EVEN)) == [*range(10, 100, 2)]
    assert cache.bits(only(EVEN), old) is None
    assert found(cache, store, only(EVEN)) == [*range(10, 100, 2)]


@pytest.mark.parametrize("leaf", [EVEN, MANY, IsEmpty("even"), HasId((2,))], ids=str)
def test_a_view_that_the_store_has_left_behind_gets_no_answer(
    store: DictionaryStore, cache: FilterCache, leaf: Leaf | HasId
) -> None:
    view = store.view()
    store.add((2, point(2)))  # the view has the old row of 2, the store has the new one
    assert cache.bits(only(leaf), view) is None
    assert cache.bits(only(leaf), view) is None
    assert found(cache, store, only(leaf)) == store.expected(only(leaf))


def test_what_was_read_for_a_newer_view_is_not_used_for_an_older_one(
    store: DictionaryStore, cache: FilterCache
) -> None:
    view = store.view()
    store.add((2, point(2)))
    assert 2 in found(cache, store, only(EVEN))
    assert cache.bits(only(EVEN), view) is None


def test_what_is_certain_is_used_also_while_the_store_moves_on(store: DictionaryStore, cache: FilterCache) -> None:
    view = store.view()
    kept = found(cache, store, only(EVEN))
    store.add((3, point(2)))
    bits = cache.bits(only(EVEN), view)
    assert bits is not None
    assert store.ids(view, bits) == kept


def test_what_was_read_in_vain_is_kept_for_the_next_try(store: DictionaryStore, cache: FilterCache) -> None:
    view = store.view()
    store.add((2, point(2)))
    assert cache.bits(only(MANY), view) is None
    last_row = int(view.rows[-1])
    store.asked.clear()
    assert found(cache, store, only(MANY)) == store.expected(only(MANY))
    assert store.asked == [f"after {last_row}", "current"]


def test_nothing_is_kept_where_there_is_no_room(store: DictionaryStore) -> None:
    cache = FilterCache(store, 0)
    for _ in range(2):
        store.asked.clear()
        assert len(found(cache, store, only(EVEN))) == 50
        assert store.asked == ["table", "current"]


def test_a_failure_of_the_store_is_told_and_nothing_is_kept(
    store: DictionaryStore, cache: FilterCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise Unavailable("The store cannot be used.")

    with monkeypatch.context() as broken:
        broken.setattr(store, "matching_rows", fail)
        for _ in range(2):
            with pytest.raises(Unavailable):
                cache.bits(only(EVEN), store.view())
    assert len(found(cache, store, only(EVEN))) == 50


ADDED = st.lists(st.tuples(IDS, METADATA), min_size=1, max_size=4, unique_by=lambda one: repr(one[0]))


@settings(max_examples=60)
@given(st.lists(ADDED | IDS | st.just("rebuild"), max_size=8), st.lists(FILTERS, min_size=1, max_size=3))
def test_whatever_happens_a_filter_lets_through_what_it_means(steps: list[Any], filters: list[Filter]) -> None:
    store = DictionaryStore()
    cache = FilterCache(store, 3_000)
    for step in steps:
        if step == "rebuild":
            store.rebuild()
        elif isinstance(step, list):
            store.add(*step)
        else:
            store.delete(step)
        for filter in filters:
            assert found(cache, store, filter) == store.expected(filter)


class Looker(threading.Thread):
    """Counts again and again what of two halves there is in a view; every point is in one of them."""

    def __init__(self, cache: FilterCache, store: DictionaryStore, stop: threading.Event) -> None:
        super().__init__()
        self.cache, self.store, self.stop = cache, store, stop
        self.counted: set[tuple[int, ...]] = set()

    def run(self) -> None:
        halves = (only(EVEN), Filter(must_not=(EVEN,)), only(MatchAny("even", (False,))), only(IsEmpty("missing")))
        while not self.stop.is_set():
            view = self.store.view()
            sets = [self.cache.bits(filter, view) for filter in halves]
            if all(bits is not None for bits in sets):
                self.counted.add(tuple(size_of(bits & view.live) for bits in sets if bits is not None))


def test_threads_find_every_point_while_points_are_replaced(store: DictionaryStore) -> None:
    cache, stop = FilterCache(store, 20_000), threading.Event()
    lookers = [Looker(cache, store, stop) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for number in range(300):
        store.add((number % 100, point(number % 100)))
        if number % 90 == 89:
            store.rebuild()
    stop.wait(0.1)
    stop.set()
    for looker in lookers:
        looker.join()
    assert [looker.counted for looker in lookers] == [{(50, 50, 50, 100)}] * 3
