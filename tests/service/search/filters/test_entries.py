"""What the table keeps of a point."""

from typing import Any

import pytest
from hypothesis import given

from service.errors import InvalidInput
from service.search.filters.entries import LONGEST_TEXT, MOST_LEAVES, Entry, Kind, entries, scalar
from service.search.points import Metadata
from tests.service.search.filters.strategies import METADATA


def kept(metadata: Metadata) -> set[tuple[str, str, object]]:
    return {(path, kind.name, value) for path, kind, value in entries(metadata)}


def test_every_value_is_kept_under_its_path() -> None:
    metadata: Metadata = {"a": "red", "b": {"c": 1.5, "d e": True}, "f": None}
    assert kept(metadata) == {
        ("a", "STRING", "red"),
        ("b", "COMPOUND", 0),
        ("b.c", "NUMBER", 1.5),
        ('b."d e"', "BOOLEAN", 1),
        ("f", "NULL", 0),
    }


def test_elements_of_an_array_are_values_of_its_field() -> None:
    assert kept({"tags": ["x", "y", "x", None], "none": []}) == {
        ("tags", "STRING", "x"),
        ("tags", "STRING", "y"),
        ("tags", "NULL_ITEM", 0),
    }


def test_objects_in_arrays_have_brackets_in_their_paths() -> None:
    assert kept({"a": [{"b": 1}, {"b": [2]}, [3, {"b": 4}]]}) == {
        ("a", "COMPOUND", 0),
        ("a[].b", "NUMBER", 1),
        ("a[].b", "NUMBER", 2),
        ("a[][]", "NUMBER", 3),
        ("a[][]", "COMPOUND", 0),
        ("a[][].b", "NUMBER", 4),
    }


def test_equal_numbers_are_one_entry_and_other_types_are_others() -> None:
    assert [entry[1:] for entry in entries({"a": [1, 1.0, True, "1"]})] == [
        (Kind.STRING, "1"),
        (Kind.NUMBER, 1),
        (Kind.BOOLEAN, 1),
    ]


def test_whole_numbers_are_exact_up_to_64_bits_and_floats_beyond() -> None:
    assert scalar(2**53 + 1) == (Kind.NUMBER, 2**53 + 1)
    assert scalar(-(2**63)) == (Kind.NUMBER, -(2**63))
    kind, value = scalar(2**63 + 1)
    assert (kind, value, type(value)) == (Kind.NUMBER, 2.0**63, float)


def test_numbers_that_json_has_not_are_null() -> None:
    metadata: Metadata = {"a": float("nan"), "b": [float("inf")]}
    assert kept(metadata) == {("a", "NULL", 0), ("b", "NULL_ITEM", 0)}


def test_a_string_that_is_a_time_is_one_too() -> None:
    assert kept({"a": "1970-01-02"}) == {("a", "STRING", "1970-01-02"), ("a", "TIME", 86400)}


def test_a_long_string_is_kept_as_a_digest() -> None:
    longest = "x" * LONGEST_TEXT
    assert scalar(longest) == (Kind.STRING, longest)
    kind, digest = scalar(longest + "x")
    assert kind is Kind.LONG
    assert len(str(digest)) == 32
    assert scalar(longest + "y") != (kind, digest)


def test_a_point_without_metadata_has_no_entries() -> None:
    assert entries(None) == entries({}) == ()


def test_a_field_that_cannot_be_asked_for_is_left_out() -> None:
    assert kept({'a"b': 1, "c" * 1000: {"d": 2}, "e": 3}) == {("e", "NUMBER", 3)}


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": [*range(MOST_LEAVES + 1)]},
        {str(number): {"b": number} for number in range(MOST_LEAVES // 2 + 1)},
        {str(number): None for number in range(MOST_LEAVES + 1)},
    ],
    ids=["array", "objects", "nulls"],
)
def test_too_many_values_are_refused(metadata: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"more than {MOST_LEAVES} values"):
        entries(metadata)


def test_the_most_values_are_taken_and_repeated_ones_count_once() -> None:
    assert len(entries({"a": [*range(MOST_LEAVES), *range(MOST_LEAVES)]})) == MOST_LEAVES


def test_another_bound_can_be_set() -> None:
    assert len(entries({"a": [*range(1000)]}, most=float("inf"))) == 1000


@given(METADATA)
def test_entries_are_sorted_and_distinct(metadata: Metadata) -> None:
    found = entries(metadata)
    assert list(found) == sorted(set(found))
    assert all(isinstance(entry, Entry) for entry in found)
