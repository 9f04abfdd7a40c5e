"""Batches laid out as rows of tokens."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.runtime.packing import Group, by_length, packs


def test_a_pack_lays_out_its_sentences_from_the_shortest() -> None:
    batch = [[7, 8, 9], [5], [4, 6], [1, 2]]
    (pack,) = packs(batch, by_length(batch), tokens=100)
    assert pack.ids.tolist() == [5, 4, 6, 1, 2, 7, 8, 9]
    assert pack.places.tolist() == [0, 0, 1, 0, 1, 0, 1, 2]
    assert pack.starts.tolist() == [0, 1, 3, 5, 8]
    assert pack.firsts.tolist() == [0, 1, 3, 5]
    assert pack.groups == (Group(1, 1), Group(2, 2), Group(1, 3))


@given(
    batch=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=12), min_size=1, max_size=30),
    tokens=st.integers(1, 40),
)
def test_packs_hold_every_sentence_once_within_the_bound(batch: list[list[int]], tokens: int) -> None:
    order, found = by_length(batch), []
    for pack in packs(batch, order, tokens):
        starts = pack.starts.tolist()
        assert len(pack.ids) <= tokens or len(pack.firsts) == 1
        assert sum(group.sentences for group in pack.groups) == len(pack.firsts)
        found += [pack.ids[one:other].tolist() for one, other in pairwise(starts)]
    assert found == [batch[row] for row in order]
    assert sorted(order) == list(range(len(batch)))
