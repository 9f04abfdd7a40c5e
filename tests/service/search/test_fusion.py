"""Reciprocal rank fusion, reckoned by hand. The constants are measured and may be others."""

import pytest

from service.search.fusion import LEXICAL_WEIGHT, Fused, K, reciprocal_rank_fusion


def test_scores_are_the_sum_of_weight_by_the_constant_and_the_rank() -> None:
    fused = reciprocal_rank_fusion([(7, 0.9), (3, 0.8)], [(3, 12.0), (5, 4.0)], weight=0.5)
    assert [hit.row for hit in fused] == [3, 7, 5]
    assert [hit.score for hit in fused] == pytest.approx([1 / (K + 2) + 0.5 / (K + 1), 1 / (K + 1), 0.5 / (K + 2)])


def test_a_hit_says_what_each_search_gave_it() -> None:
    first, second, third = reciprocal_rank_fusion([(7, 0.9), (3, 0.8)], [(3, 12.0), (5, 4.0)])
    assert (first.dense, first.lexical) == (0.8, 12.0)
    assert (second.dense, second.lexical) == (0.9, None)
    assert (third.dense, third.lexical) == (None, 4.0)


def test_words_have_less_of_a_say_than_vectors() -> None:
    fused = reciprocal_rank_fusion([(1, 0.1)], [(2, 9.0)])
    assert 0 < LEXICAL_WEIGHT < 1
    assert fused == [Fused(1, 1 / (K + 1), 0.1, None), Fused(2, LEXICAL_WEIGHT / (K + 1), None, 9.0)]


def test_of_equals_the_lower_row_comes_first() -> None:
    fused = reciprocal_rank_fusion([(9, 0.5)], [(4, 0.5)], weight=1.0)
    assert [hit.row for hit in fused] == [4, 9]


def test_the_scores_themselves_do_not_matter_but_the_order_does() -> None:
    one = reciprocal_rank_fusion([(1, 0.9), (2, 0.1)], [(2, 5.0)])
    other = reciprocal_rank_fusion([(1, 0.3), (2, 0.2)], [(2, 0.001)])
    assert [(hit.row, hit.score) for hit in one] == [(hit.row, hit.score) for hit in other]


def test_one_list_alone_keeps_its_order_and_two_empty_ones_give_nothing() -> None:
    assert [hit.row for hit in reciprocal_rank_fusion([(5, 3.0), (2, 2.0), (8, 1.0)], [])] == [5, 2, 8]
    assert [hit.row for hit in reciprocal_rank_fusion([], [(5, 3.0), (2, 2.0)])] == [5, 2]
    assert reciprocal_rank_fusion([], []) == []
