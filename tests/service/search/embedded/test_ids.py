"""Ids by place, in a few bytes."""

import io
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from service.search.embedded.ids import IdColumn
from service.search.points import PointId

IDS: list[PointId] = ["a", 1, "1", -(2**63), 2**63 - 1, "", "é\0ü", "x" * 300]


@pytest.fixture
def column() -> IdColumn:
    made = IdColumn()
    made.extend(IDS)
    return made


class Nowhere(io.BytesIO):
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_every_id_comes_back_as_it_went_in(column: IdColumn) -> None:
    assert [column.at(place) for place in range(len(column))] == IDS
    assert [type(column.at(place)) for place in range(3)] == [str, int, str]


def test_many_answers_in_the_order_of_the_places(column: IdColumn) -> None:
    places = np.array([5, 0, 7, 0, 1])
    assert column.many(places) == ["", "a", "x" * 300, "a", 1]
    assert column.many(np.empty(0, np.int64)) == []


def test_a_column_grows_beyond_its_first_room() -> None:
    column = IdColumn()
    for start in range(0, 5_000, 700):
        column.extend(range(start, start + 700))
    assert column.many(np.arange(0, 5_000, 999)) == [0, 999, 1_998, 2_997, 3_996, 4_995]
    assert column.memory_bytes() >= 5_000 * 17


def test_a_saved_column_is_read_back_and_can_grow(column: IdColumn) -> None:
    file = io.BytesIO()
    column.save(file, 5)
    file.seek(0)
    again = IdColumn.load(file, 5)
    assert (len(again), file.read()) == (5, b"")
    again.extend(["new"])
    assert again.many(np.arange(6)) == [*IDS[:5], "new"]


def test_an_empty_column_is_saved_as_nothing() -> None:
    file = io.BytesIO()
    IdColumn().save(file, 0)
    assert file.getvalue() == b""
    assert len(IdColumn.load(file, 0)) == 0


def test_ids_come_in_while_the_column_is_saved(hurried: None) -> None:
    """A write whose ids are refused would leave the index with vectors that have no ids."""
    column = IdColumn()
    column.extend(range(100_000))
    stop = threading.Event()
    failures: list[BaseException] = []

    def extend() -> None:
        try:
            while not stop.is_set():
                column.extend(["more"])
        except BufferError as error:
            failures.append(error)

    writer = threading.Thread(target=extend)
    writer.start()
    for _ in range(12_000):
        column.save(Nowhere(), 100_000)
    stop.set()
    writer.join()
    assert failures == []
