"""What is refused before any work is done."""

from typing import Any

import numpy as np
import pytest

from service.errors import InvalidInput
from service.search.checks import check_metadata_size, check_search, refuse_repeats
from service.search.points import Search

TWO = np.ones((2, 4), np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"queries": TWO, "limit": 0}, "limit is 0; expected 1 or more"),
        ({"queries": TWO, "offset": -1}, "offset is -1; expected 0 or more"),
        ({"queries": TWO, "score_threshold": float("nan")}, "score_threshold is not a finite number"),
        ({"queries": TWO, "score_threshold": float("inf")}, "score_threshold is not a finite number"),
        ({}, "mode dense needs vectors"),
        ({"mode": "hybrid", "words": ("a", "b")}, "mode hybrid needs vectors"),
        ({"mode": "lexical"}, "mode lexical needs words"),
        ({"mode": "hybrid", "queries": TWO}, "mode hybrid needs words"),
        ({"mode": "hybrid", "queries": TWO, "words": ("a",)}, "a text and a vector for each query"),
    ],
)
def test_searches_that_cannot_be_meant_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_search(Search(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"queries": TWO, "limit": 1, "score_threshold": -1.5},
        {"mode": "lexical", "words": ("a",)},
        {"mode": "hybrid", "queries": TWO, "words": ("a", "b"), "offset": 3},
    ],
)
def test_searches_with_all_they_need_pass(given: dict[str, Any]) -> None:
    check_search(Search(**given))


def test_metadata_at_the_limit_passes_and_above_it_is_refused() -> None:
    metadata: dict[str, Any] = {"name": "é" * 10}  # 11 + 20 bytes
    check_metadata_size(metadata, 31)
    with pytest.raises(InvalidInput, match="would have 31 bytes as JSON; the limit is 30"):
        check_metadata_size(metadata, 30)


@pytest.mark.parametrize("value", ["\ud800", 2**64, object()])
def test_metadata_that_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        check_metadata_size({"value": value}, 1_000)


def test_an_id_that_comes_twice_is_named_by_its_positions() -> None:
    with pytest.raises(InvalidInput, match=r"points\[3\] has the same id as points\[1\]"):
        refuse_repeats(["a", "b", "c", "b", "a"])


def test_a_number_and_its_string_are_no_repeat() -> None:
    refuse_repeats([1, "1", 2])
    refuse_repeats([])
