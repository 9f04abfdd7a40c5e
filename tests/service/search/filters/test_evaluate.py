"""What filters mean, point by point."""

import pytest

from service.search.filters.evaluate import matches, values_at
from service.search.filters.model import (
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    TimeRange,
)
from service.search.points import Metadata

WINE: Metadata = {
    "name": "A Red wine",
    "tags": ["dry", "Red Sea", 7],
    "price": 12.5,
    "organic": True,
    "year": 2019,
    "bottled": "2020-03-01T10:00:00+02:00",
    "note": None,
    "awards": [],
    "origin": {"country": "France", "first name": "x"},
    "shops": [{"city": "Paris", "open": [8, 20]}, {"city": "Lyon"}],
    "grid": [[1, 2], [3]],
    "a.b": "dotted",
}


@pytest.mark.parametrize(
    ("condition", "meets"),
    [
        (MatchAny("origin.country", ("France",)), True),
        (MatchAny('origin."first name"', ("x",)), True),
        (MatchAny('"a.b"', ("dotted",)), True),
        (MatchAny("a.b", ("dotted",)), False),
        (MatchAny("tags", ("wet", "dry")), True),
        (MatchAny("tags", (7,)), True),
        (MatchAny("shops[].city", ("Lyon",)), True),
        (MatchAny("shops.city", ("Lyon",)), False),
        (MatchAny("shops[].open", (20,)), True),
        (MatchAny("grid", (1,)), False),
        (MatchAny("grid[][]", (3,)), True),
        (MatchAny("tags[][]", (7,)), False),
        (MatchAny("organic", (True,)), True),
        (MatchAny("organic", (1,)), False),
        (MatchAny("year", (2019,)), True),
        (MatchAny("year", ("2019",)), False),
        (MatchExcept("tags", ("dry", "Red Sea")), True),
        (MatchExcept("origin.country", ("France",)), False),
        (MatchExcept("note", ("x",)), False),
        (MatchExcept("missing", ("x",)), False),
        (MatchExcept("origin", ("x",)), True),
        (MatchText("name", ("wine", "red")), True),
        (MatchText("name", ("win",)), False),
        (MatchText("tags", ("dry", "sea")), False),
        (MatchText("tags", ("red", "sea")), True),
        (MatchText("year", ("2019",)), False),
        (Range("price", gt=12, lte=12.5), True),
        (Range("price", gt=12.5), False),
        (Range("organic", gte=0), False),
        (Range("shops[].open", gt=8, lt=21), True),
        (TimeRange("bottled", gte=1583049600.0, lte=1583049600.0), True),
        (TimeRange("bottled", lt=1583049600.0), False),
        (TimeRange("year", gt=0), False),
        (IsEmpty("note"), True),
        (IsEmpty("awards"), True),
        (IsEmpty("missing"), True),
        (IsEmpty("origin.city"), True),
        (IsEmpty("grid"), False),
        (IsEmpty("origin"), False),
        (IsNull("note"), True),
        (IsNull("awards"), False),
        (IsNull("missing"), False),
        (HasId(("w1", 3)), True),
        (HasId(("W1", "1")), False),
    ],
    ids=str,
)
def test_a_condition_means_what_it_says(condition: Condition, meets: bool) -> None:
    assert matches(condition, "w1", WINE) is meets
    assert matches(Filter(must=(condition,)), "w1", WINE) is meets
    assert matches(Filter(must_not=(condition,)), "w1", WINE) is not meets


YES, NO = MatchAny("year", (2019,)), MatchAny("year", (2020,))


@pytest.mark.parametrize(
    ("filter", "meets"),
    [
        (Filter(), True),
        (Filter(must=(YES, NO)), False),
        (Filter(must=(YES, YES)), True),
        (Filter(should=(NO, YES)), True),
        (Filter(should=(NO,)), False),
        (Filter(must=(YES,), should=(NO,)), False),
        (Filter(should=(NO, YES, YES), min_should=2), True),
        (Filter(should=(NO, NO, YES), min_should=2), False),
        (Filter(must_not=(NO, YES)), False),
        (Filter(must_not=(Filter(),)), False),
        (Filter(must=(Filter(should=(NO, Filter(must_not=(NO,)))),)), True),
    ],
)
def test_clauses_join_their_conditions(filter: Filter, meets: bool) -> None:
    assert matches(filter, "w1", WINE) is meets


def test_a_point_without_metadata_has_only_empty_fields() -> None:
    assert matches(IsEmpty("a"), 1, None)
    assert not matches(MatchExcept("a", ()), 1, None)


def test_a_number_id_is_not_the_string_of_its_digits() -> None:
    assert matches(HasId((1,)), 1, None)
    assert not matches(HasId(("1",)), 1, None)


def test_the_values_of_a_field_are_told_one_by_one() -> None:
    assert values_at(WINE, "tags[]") == ["dry", "Red Sea", 7]
    assert values_at(WINE, "shops[].city") == ["Paris", "Lyon"]
    assert values_at(WINE, "year") == [2019]
    assert values_at(WINE, "missing") == values_at(WINE, "awards") == values_at(WINE, "no..path") == []
