"""The store, as the filters of one collection ask it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.source import StoreSource
from service.search.filters.model import HasValue, MatchAny, Range
from service.search.points import Point, Selection

Make = Callable[..., NDArray[np.float32]]


@pytest.fixture
def source(cats: StoredCollection, collections: Collections, vectors: Make) -> StoreSource:
    """Four cats, and a dog in another collection that has the same metadata."""
    made = vectors(5)
    collections.create("dogs", space="sentence").upsert([Point("dog", made[4], metadata={"legs": 4})])
    cats.upsert([Point(n, made[n], metadata={"legs": 4 - n % 2}) for n in range(3)])
    cats.upsert([Point("bare", made[3])])
    return StoreSource(cats.store, cats.number)


def test_rows_that_meet_a_condition_are_of_this_collection(source: StoreSource, cats: StoredCollection) -> None:
    rows = cats.contents.view.rows
    assert source.matching_rows(MatchAny("legs", (4,))).tolist() == rows[[0, 2]].tolist()
    assert source.matching_rows(Range("legs", lt=4)).tolist() == rows[[1]].tolist()
    assert source.matching_rows(HasValue("legs")).tolist() == rows[:3].tolist()


def test_metadata_comes_in_the_order_of_rows(source: StoreSource, cats: StoredCollection) -> None:
    rows = cats.contents.view.rows[:4].tolist()
    assert [*source.metadata_after(0)] == [
        (rows[0], {"legs": 4}),
        (rows[1], {"legs": 3}),
        (rows[2], {"legs": 4}),
        (rows[3], None),
    ]
    assert [*source.metadata_after(rows[2])] == [(rows[3], None)]


def test_rows_of_ids_come_in_the_order_of_the_ids(source: StoreSource, cats: StoredCollection) -> None:
    rows = cats.contents.view.rows
    assert source.rows_of_ids(["bare", 0, "dog", "0"]).tolist() == [rows[3], rows[0]]


def test_a_view_is_current_until_the_next_write(source: StoreSource, cats: StoredCollection, vectors: Make) -> None:
    for change in (
        lambda: cats.upsert([Point(0, vectors(1)[0])]),
        lambda: cats.delete(Selection([0])),
        lambda: cats.set_metadata(Selection([1]), {"name": "Tom"}),
    ):
        before = cats.contents.view
        assert source.is_current(before)
        change()
        assert not source.is_current(before)
    assert source.is_current(cats.contents.view)
