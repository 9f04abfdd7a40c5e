"""Reciprocal rank fusion, reckoned by hand."""

import pytest

from service.search.fusion import Fused, reciprocal_rank_fusion


def test_scores_are_the_sum_of_weight_by_sixty_and_the_rank() -> None:
    fused = reciprocal_rank_fusion([(7, 0.9), (3, 0.8)], [(3, 12.0), (5, 4.0)], weight=0.5)
    assert [hit.row for hit in fused] == [3, 7, 5]
    assert [hit.score for hit in fused] == pytest.approx([1 / 62 + 0.5 / 61, 1 / 61, 0.5 / 62])


def test_a_hit_says_what_each_search_gave_it() -> None:
    first, second, third = reciprocal_rank_fusion([(7, 0.9), (3, 0.8)], [(3, 12.0), (5, 4.0)])
    assert (first.dense, first.lexical) == (0.8, 12.0)
    assert (second.dense, second.lexical) == (0.9, None)
    assert (third.dense, third.lexical) == (None, 4.0)


def test_words_have_half_a_say() -> None:
    fused = reciprocal_rank_fusion([(1, 0.1)], [(2, 9.0)])
    assert fused == [Fused(1, 1 / 61, 0.1, None), Fused(2, 0.5 / 61, None, 9.0)]


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
