"""The table finds what the conditions mean."""

from collections.abc import Iterator
from contextlib import closing

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.filters import fields
from service.search.filters.entries import entries
from service.search.filters.evaluate import test_of as condition_test
from service.search.filters.model import (
    HasValue,
    IsEmpty,
    IsNull,
    Leaf,
    Lookup,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    TimeRange,
)
from service.search.points import Metadata
from tests.service.search.filters.strategies import LEAVES, LONG, METADATA

POINTS: dict[int, Metadata] = {
    1: {"a": "red", "n": 1},
    2: {"a": "green", "n": 1.0},
    3: {"a": ["red", "blue"], "n": True},
    4: {"a": None, "n": "1"},
    5: {"a": [], "n": 2**53 + 1},
    6: {"a": [None], "n": 2.0**53},
    7: {"a": {"b": 1}, "n": -1.5},
    8: {"n": [LONG, "2026-01-31T12:00:00Z"]},
    9: {"n": "nul\0byte"},
}


@pytest.fixture
def table() -> Iterator[apsw.Connection]:
    """The points above in the collection 1, and one like the first in the collection 2."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(fields.FIELDS)
        fields.insert(connection, 1, [(row, entries(metadata)) for row, metadata in POINTS.items()])
        fields.insert(connection, 2, [(100, entries(POINTS[1]))])
        yield connection


@pytest.mark.parametrize(
    ("lookup", "rows"),
    [
        (MatchAny("a", ("red",)), [1, 3]),
        (MatchAny("a", ("blue", "red", "green")), [1, 2, 3]),
        (MatchAny("a", ("Red",)), []),
        (MatchAny("a", ()), []),
        (MatchAny("n", (1,)), [1, 2]),
        (MatchAny("n", (True,)), [3]),
        (MatchAny("n", ("1",)), [4]),
        (MatchAny("n", (2**53,)), [6]),
        (MatchAny("n", (2**53 + 1,)), [5]),
        (MatchAny("n", (1, "1", True)), [1, 2, 3, 4]),
        (MatchAny("n", (LONG,)), [8]),
        (MatchAny("n", ("nul\0byte",)), [9]),
        (MatchAny("n", ("nul",)), []),
        (MatchAny("a.b", (1,)), [7]),
        (MatchExcept("a", ("red",)), [2, 3, 7]),
        (MatchExcept("a", ()), [1, 2, 3, 7]),
        (MatchExcept("n", (1,)), [3, 4, 5, 6, 7, 8, 9]),
        (MatchExcept("n", (LONG, "2026-01-31T12:00:00Z")), [1, 2, 3, 4, 5, 6, 7, 9]),
        (Range("n", gte=1), [1, 2, 5, 6]),
        (Range("n", gt=1), [5, 6]),
        (Range("n", gt=1, lt=2**53 + 1), [6]),
        (Range("n", gt=2**53), [5]),
        (Range("n", lte=1, lt=1), [7]),
        (Range("n", lt=2**70), [1, 2, 5, 6, 7]),
        (TimeRange("n", gte=1769860800.0), [8]),
        (TimeRange("n", gt=1769860800.0), []),
        (IsNull("a"), [4, 6]),
        (HasValue("a"), [1, 2, 3, 6, 7]),
        (HasValue("b"), []),
    ],
    ids=str,
)
def test_a_condition_finds_its_rows(table: apsw.Connection, lookup: Lookup, rows: list[int]) -> None:
    assert fields.matching_rows(table, 1, lookup).tolist() == rows
    assert [row for row, metadata in POINTS.items() if condition_test(lookup)(metadata)] == rows


def test_rows_that_are_taken_out_are_not_found(table: apsw.Connection) -> None:
    fields.remove(table, 1, [(row, entries(POINTS[row])) for row in (1, 8)])
    assert fields.matching_rows(table, 1, MatchAny("a", ("red",))).tolist() == [3]
    assert fields.matching_rows(table, 2, MatchAny("a", ("red",))).tolist() == [100]
    fields.remove(table, 1, [(row, entries(metadata)) for row, metadata in POINTS.items()])
    assert table.execute("SELECT DISTINCT collection FROM fields").fetchall() == [(2,)]


def test_a_dropped_collection_is_gone_and_others_are_not(table: apsw.Connection) -> None:
    fields.drop(table, 1)
    assert table.execute("SELECT DISTINCT collection FROM fields").fetchall() == [(2,)]


def test_what_the_table_does_not_hold_cannot_be_looked_up(table: apsw.Connection) -> None:
    for leaf in (MatchText("a", ("red",)), IsEmpty("a")):
        with pytest.raises(TypeError, match=type(leaf).__name__):
            fields.matching_rows(table, 1, leaf)  # type: ignore[arg-type]


def test_many_rows_come_out_whole() -> None:
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(fields.FIELDS)
        fields.insert(connection, 1, [(row, entries({"a": row % 2})) for row in range(1, 20_001)])
        found = fields.matching_rows(connection, 1, MatchAny("a", (1,)))
    assert found.tolist() == [*range(1, 20_001, 2)]


def test_a_lookup_is_a_search_of_the_key_and_no_scan(table: apsw.Connection) -> None:
    for lookup in (MatchAny("a", ("red", "blue")), Range("n", gt=1), IsNull("a"), HasValue("a"), TimeRange("n", lt=1)):
        for where, bindings in fields._clauses(lookup):
            plan = table.execute("EXPLAIN QUERY PLAN " + fields.SELECT + where, (1, "a", *bindings)).fetchall()
            assert "SEARCH fields USING PRIMARY KEY (collection=? AND path=? AND kind" in str(plan), plan


@given(
    st.lists(METADATA, max_size=8), st.lists(LEAVES.filter(lambda leaf: not isinstance(leaf, MatchText)), max_size=6)
)
def test_the_table_finds_what_the_condition_means(points: list[Metadata], leaves: list[Leaf]) -> None:
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(fields.FIELDS)
        fields.insert(connection, 1, [(row, entries(metadata)) for row, metadata in enumerate(points)])
        for leaf in leaves:
            lookup: Lookup = HasValue(leaf.key) if isinstance(leaf, IsEmpty) else leaf  # type: ignore[assignment]
            expected = [row for row, metadata in enumerate(points) if condition_test(lookup)(metadata)]
            assert fields.matching_rows(connection, 1, lookup).tolist() == expected
        fields.remove(connection, 1, [(row, entries(metadata)) for row, metadata in enumerate(points)])
        assert connection.execute("SELECT count(*) FROM fields").get == 0
