"""Filters from JSON."""

from typing import Any

import pytest
from hypothesis import given

from service.errors import InvalidInput
from service.search.filters.conditions import MOST_IDS, MOST_VALUES, MOST_WORDS
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
from service.search.filters.parse import MOST_CONDITIONS, MOST_NESTING, MOST_TEXTS, parse_filter
from service.search.filters.written import to_json
from tests.service.search.filters.strategies import FILTERS

RED = {"key": "a", "match": {"value": "red"}}
TEXT = {"key": "a", "match": {"text": "red"}}
IS_RED = MatchAny("a", ("red",))


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        (RED, IS_RED),
        ({"key": "a", "match": {"value": 1}}, MatchAny("a", (1,))),
        ({"key": "a", "match": {"value": False}}, MatchAny("a", (False,))),
        ({"key": "tags[]", "match": {"any": ["x", "y"]}}, MatchAny("tags", ("x", "y"))),
        ({"key": "a", "match": {"any": []}}, MatchAny("a", ())),
        ({"key": "a[].b", "match": {"except": [1, 2]}}, MatchExcept("a[].b", (1, 2))),
        ({"key": "a", "match": {"text": "Red, red WINE"}}, MatchText("a", ("red", "wine"))),
        ({"key": "a", "range": {"gt": 1, "lte": 2.5, "lt": None}}, Range("a", gt=1, lte=2.5)),
        (
            {"key": "a", "range": {"gte": "1970-01-01T00:00:01Z", "lt": "1970-01-02"}},
            TimeRange("a", gte=1.0, lt=86400.0),
        ),
        ({"key": "a", "range": {"lt": 2**64}}, Range("a", lt=2.0**64)),
        ({"has_id": [1, "a", 2**63 - 1]}, HasId((1, "a", 2**63 - 1))),
        ({"has_id": []}, HasId(())),
        ({"is_empty": {"key": '"a b".c'}}, IsEmpty('"a b".c')),
        ({"is_null": {"key": "first name"}}, IsNull('"first name"')),
        ({"must": [RED]}, Filter(must=(IS_RED,))),
        ({}, Filter()),
        ({"key": "a", "match": {"value": "red"}, "range": None, "geo_radius": None}, IS_RED),
    ],
    ids=str,
)
def test_a_condition_is_read(value: dict[str, Any], condition: Condition) -> None:
    assert repr(parse_filter({"must": [value]})) == repr(Filter(must=(condition,)))


def test_the_clauses_are_read() -> None:
    both = {"must": [RED], "should": [RED, RED], "must_not": [RED]}
    assert parse_filter(both) == Filter((IS_RED,), (IS_RED, IS_RED), (IS_RED,))
    assert parse_filter({"must": RED, "should": None}) == Filter(must=(IS_RED,))
    least = {"min_should": {"conditions": [RED, RED, RED], "min_count": 2}}
    assert parse_filter(least) == Filter(should=(IS_RED, IS_RED, IS_RED), min_should=2)
    assert parse_filter({}) == Filter()


CALLERS = "words of the caller"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"filter is null; expected an object with must"),
        ([RED], r"filter is a list; expected an object"),
        (CALLERS, r"filter is a string"),
        (RED, r"filter is a condition, not a filter"),
        ({CALLERS: 1}, r"filter has an unknown field; the known ones are must, should, must_not, min_should"),
        ({"must": CALLERS}, r"filter\.must is a string; expected a list of conditions"),
        ({"must": [RED, 7]}, r"filter\.must\[1\] is an integer; expected an object with key, match"),
        ({"should": [{CALLERS: 1}]}, r"filter\.should\[0\] has an unknown field; the known ones are key, match"),
        ({"should": [{"must": [], CALLERS: 1}]}, r"filter\.should\[0\] has an unknown field"),
        ({"must_not": [{"nested": {}}]}, r"filter\.must_not\[0\] has `nested`, which is not supported"),
        ({"must": [{"key": "a", "geo_radius": {}}]}, r"`geo_radius`, which is not supported"),
        ({"must": [{"key": "a", "values_count": {}}]}, r"`values_count`, which is not supported"),
        ({"must": [{"key": "a"}]}, r"must\[0\] has none of the fields it needs; expected exactly one of match, range"),
        ({"must": [{**RED, "range": {"gt": 1}}]}, r"must\[0\] has match and range; expected exactly one"),
        ({"must": [{"match": {"value": 1}}]}, r"must\[0\] has `match`; expected `key` and nothing else beside it"),
        ({"must": [{"has_id": [1], "key": "a"}]}, r"must\[0\] has `has_id`; expected nothing else beside it"),
        ({"must": [{**RED, "must": [RED]}]}, r"must\[0\] has `match`; expected `key` and nothing else"),
        ({"must": [{"key": 5, "match": {"value": 1}}]}, r"must\[0\]\.key is an integer; expected a string"),
        ({"must": [{"key": "a..b", "match": {"value": 1}}]}, r"must\[0\]\.key is not the path of a field"),
        ({"must": [{"key": "a[0]", "match": {"value": 1}}]}, r"must\[0\]\.key is not the path of a field"),
        ({"must": [{"key": "x" * 257, "match": {"value": 1}}]}, r"up to 256 characters"),
        ({"must": [{"key": "\ud800", "match": {"value": 1}}]}, r"key has half a surrogate pair"),
        (
            {"must": [{"key": "a", "match": CALLERS}]},
            r"must\[0\]\.match is a string; expected an object with value, any",
        ),
        ({"must": [{"key": "a", "match": {"phrase": "x"}}]}, r"match has `phrase`, which is not supported"),
        ({"must": [{"key": "a", "match": {}}]}, r"match has none of the fields it needs"),
        ({"must": [{"key": "a", "match": {"value": 1.5}}]}, r"match\.value is a number; expected a string, an integer"),
        ({"must": [{"key": "a", "match": {"value": [1]}}]}, r"match\.value is a list"),
        ({"must": [{"key": "a", "match": {"value": "\ud800"}}]}, r"match\.value has half a surrogate pair"),
        ({"must": [{"key": "a", "match": {"value": 2**63}}]}, r"match\.value is an integer of more than 64 bits"),
        ({"must": [{"key": "a", "match": {"any": "x"}}]}, r"match\.any is a string; expected a list"),
        ({"must": [{"key": "a", "match": {"any": ["x", 1]}}]}, r"match\.any\[1\] is an integer; expected all"),
        ({"must": [{"key": "a", "match": {"any": [True]}}]}, r"match\.any\[0\] is a boolean"),
        (
            {"must": [{"key": "a", "match": {"any": [1] * (MOST_VALUES + 1)}}]},
            r"any has 1001 items; expected at most 1000",
        ),
        ({"must": [{"key": "a", "match": {"text": "…"}}]}, r"match\.text has 0 different words"),
        (
            {"must": [{"key": "a", "match": {"text": " ".join(map(str, range(MOST_WORDS + 1)))}}]},
            r"text has 65 different words; expected 1 to 64",
        ),
        ({"must": [{"key": "a", "range": {}}]}, r"range has no bound; expected one or more of gt, gte, lt, lte"),
        ({"must": [{"key": "a", "range": {"above": 1}}]}, r"range has an unknown field; the known ones are gt, gte"),
        ({"must": [{"key": "a", "range": {"gt": True}}]}, r"range\.gt is a boolean; expected a number"),
        ({"must": [{"key": "a", "range": {"gt": float("nan")}}]}, r"range\.gt is not a finite number"),
        ({"must": [{"key": "a", "range": {"gt": -float("inf")}}]}, r"range\.gt is not a finite number"),
        ({"must": [{"key": "a", "range": {"gt": 10**400}}]}, r"range\.gt is not a finite number"),
        (
            {"must": [{"key": "a", "range": {"gt": CALLERS}}]},
            r"range\.gt is a string that is no time; expected RFC 3339",
        ),
        ({"must": [{"key": "a", "range": {"gt": "2026-01-01", "lt": 5}}]}, r"range\.lt is an integer; expected an RFC"),
        ({"must": [{"has_id": 1}]}, r"has_id is an integer; expected a list of ids"),
        ({"must": [{"has_id": [1, True]}]}, r"has_id\[1\] is no id"),
        ({"must": [{"has_id": [-1]}]}, r"has_id\[0\] is no id"),
        ({"must": [{"has_id": [2**63]}]}, r"has_id\[0\] is no id"),
        ({"must": [{"has_id": [""]}]}, r"has_id\[0\] is no id"),
        ({"must": [{"has_id": ["x" * 129]}]}, r"has_id\[0\] is no id"),
        ({"must": [{"has_id": [1] * (MOST_IDS + 1)}]}, r"has_id has 10001 items; expected at most 10000"),
        ({"must": [{"is_null": "a"}]}, r"is_null is a string; expected an object with key"),
        ({"must": [{"is_empty": {}}]}, r"is_empty\.key is null; expected a string"),
        ({"must": [RED] * (MOST_CONDITIONS + 1)}, r"filter\.must has 257 items; expected at most 256"),
        ({"must": [RED] * 200, "should": [RED] * 57}, r"should\[56\] is one condition too many; expected at most 256"),
        ({"must": [TEXT] * MOST_TEXTS, "should": TEXT}, r"should is one match on text too many; expected at most 16"),
        ({"should": [RED], "min_should": {"conditions": [RED], "min_count": 1}}, r"filter has should and min_should"),
        ({"min_should": {"conditions": [RED], "min_count": 2}}, r"min_count is not between 1 and 1"),
        ({"min_should": {"conditions": [RED], "min_count": 0}}, r"min_count is not between 1 and 1"),
        ({"min_should": {"conditions": [RED], "min_count": True}}, r"min_count is a boolean; expected an integer"),
        ({"min_should": {"conditions": [RED]}}, r"min_count is null; expected an integer"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refusal:
        parse_filter(value)
    assert CALLERS not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_filters_in_filters_have_a_bound() -> None:
    deep: dict[str, Any] = RED
    for _ in range(MOST_NESTING):
        deep = {"must": [deep]}
    assert parse_filter(deep)
    with pytest.raises(InvalidInput, match="nested too deeply; expected at most 8"):
        parse_filter({"must": [deep]})
    side_by_side = {"must": [{"should": [RED]}] * (MOST_NESTING + 1)}
    assert len(parse_filter(side_by_side).must) == MOST_NESTING + 1


def test_the_place_starts_where_the_caller_says() -> None:
    with pytest.raises(InvalidInput, match=r"^selection\.filter\.must\[0\] is null"):
        parse_filter({"must": [None]}, "selection.filter")


@given(FILTERS)
def test_a_filter_comes_back_from_its_json(filter: Filter) -> None:
    assert repr(parse_filter(to_json(filter))) == repr(filter)


def test_json_has_the_shapes_of_qdrant() -> None:
    filter = Filter(
        must=(MatchAny("a", ("x", "y")), MatchText("a", ("x", "y")), TimeRange("a", gt=0.5)),
        should=(IsNull("a"), IsEmpty("b"), HasId((1,))),
        must_not=(Filter(should=(MatchExcept("a", (1,)),)), Range("a", lte=1)),
        min_should=2,
    )
    assert to_json(filter) == {
        "must": [
            {"key": "a", "match": {"any": ["x", "y"]}},
            {"key": "a", "match": {"text": "x y"}},
            {"key": "a", "range": {"gt": "1970-01-01T00:00:00.500000Z"}},
        ],
        "min_should": {
            "conditions": [{"is_null": {"key": "a"}}, {"is_empty": {"key": "b"}}, {"has_id": [1]}],
            "min_count": 2,
        },
        "must_not": [
            {"should": [{"key": "a", "match": {"except": [1]}}]},
            {"key": "a", "range": {"lte": 1}},
        ],
    }
