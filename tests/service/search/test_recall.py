"""Recall: the share of the true hits that a search finds."""

import numpy as np
import pytest

from service.search.points import Hit, Search
from service.search.recall import SAMPLE, K, measured_recall

QUERIES = np.eye(2, 4, dtype=np.float32)


def hits(*ids: int) -> list[Hit]:
    return [Hit(number, 1.0) for number in ids]


def test_recall_is_the_mean_share_of_the_exact_hits() -> None:
    def search(asked: Search) -> list[list[Hit]]:
        return [hits(1, 2, 3, 4), hits(5, 6)] if asked.exact else [hits(1, 2, 9, 4), hits(6, 7)]

    assert measured_recall(QUERIES, search) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_a_search_that_finds_everything_has_recall_one_and_an_empty_truth_is_found() -> None:
    assert measured_recall(QUERIES, lambda _: [hits(1, 2), []]) == 1.0


def test_both_searches_ask_for_ten_and_for_ids_alone() -> None:
    asked: list[Search] = []

    def search(one: Search) -> list[list[Hit]]:
        asked.append(one)
        return [[], []]

    measured_recall(QUERIES, search)
    assert [(one.exact, one.limit, one.with_text, one.with_metadata) for one in asked] == [
        (True, K, False, False),
        (False, K, False, False),
    ]
    assert (K, SAMPLE) == (10, 64)


def test_nobody_to_ask_with_gives_none() -> None:
    def never(_: Search) -> list[list[Hit]]:
        raise AssertionError("searched")

    assert measured_recall(np.empty((0, 4), np.float32), never) is None
