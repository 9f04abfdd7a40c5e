"""Both ways of attention against the formula, token by token."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from models.runtime import attention
from models.runtime.attention import Attend, Scores, by_kernel, by_length_groups
from models.runtime.packing import Pack, by_length, packs

HEADS, HEAD_WIDTH = 2, 4
LENGTHS = [9, 1, 4, 4, 12]


@pytest.fixture
def pack() -> Pack:
    batch = [[0] * length for length in LENGTHS]
    (only,) = packs(batch, by_length(batch), tokens=100)
    return only


def formula(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """One sentence: (rows, heads, width) attends to (length, heads, width)."""
    scores = torch.einsum("qhw,khw->hqk", query, keys) / HEAD_WIDTH**0.5 + bias
    return torch.einsum("hqk,khw->qhw", scores.softmax(dim=-1), values)


def spans(starts: Tensor) -> Iterator[slice]:
    yield from (slice(one, other) for one, other in pairwise(starts.tolist()))


def expected(queries: Tensor, keys: Tensor, values: Tensor, pack: Pack, scores: Scores) -> Tensor:
    rows = []
    for number, span in enumerate(spans(pack.starts)):
        length = span.stop - span.start
        places = torch.arange(length)
        bias = torch.zeros(HEADS, length, length) if scores.bias is None else scores.bias[:, :length, :length]
        if scores.window is not None:
            bias = bias.masked_fill((places[:, None] - places).abs() > scores.window, float("-inf"))
        asking = queries[span] if len(queries) == len(keys) else queries[number, None]
        rows.append(formula(asking, keys[span], values[span], bias[:, : len(asking)]))
    return torch.cat(rows).flatten(1)


def as_documented(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int],
) -> Tensor:
    """What torch says its kernel does, sentence by sentence; the window counts from the last key."""
    rows = []
    for asked, span in zip(spans(cu_seq_q), spans(cu_seq_k), strict=True):
        asking, length = asked.stop - asked.start, span.stop - span.start
        assert asking <= max_q
        assert length <= max_k
        offset = torch.arange(length) - (torch.arange(asking)[:, None] + length - asking)
        left, right = (size if size >= 0 else length for size in window_size)
        hidden = (offset < -left) | (offset > right)
        bias = torch.zeros(asking, length).masked_fill(hidden, float("-inf"))
        rows.append(formula(query[asked], key[span], value[span], bias))
    return torch.cat(rows)


@pytest.fixture(params=["by_length_groups", "by_kernel"])
def attend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Attend:
    """The kernel needs a GPU; what is passed to it does not."""
    monkeypatch.setattr(attention, "varlen_attn", as_documented)
    return {"by_length_groups": by_length_groups, "by_kernel": by_kernel}[request.param]


def tokens(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, HEADS, HEAD_WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("window", [None, 1, 3, 50])
def test_every_token_attends_to_its_own_sentence(attend: Attend, pack: Pack, window: int | None) -> None:
    queries, keys, values = (tokens(sum(LENGTHS), seed) for seed in range(3))
    scores = Scores(window=window)
    attended = attend(queries, keys, values, pack, scores)
    torch.testing.assert_close(attended, expected(queries, keys, values, pack, scores))


def test_first_tokens_can_ask_alone(attend: Attend, pack: Pack) -> None:
    queries, keys, values = tokens(len(LENGTHS), 0), tokens(sum(LENGTHS), 1), tokens(sum(LENGTHS), 2)
    attended = attend(queries, keys, values, pack, Scores())
    torch.testing.assert_close(attended, expected(queries, keys, values, pack, Scores()))


@pytest.mark.parametrize("first_only", [False, True])
def test_a_bias_is_added_by_distance(pack: Pack, first_only: bool) -> None:
    queries = tokens(len(LENGTHS) if first_only else sum(LENGTHS), 0)
    keys, values = tokens(sum(LENGTHS), 1), tokens(sum(LENGTHS), 2)
    scores = Scores(bias=torch.randn(HEADS, 20, 20, generator=torch.Generator().manual_seed(4)))
    attended = by_length_groups(queries, keys, values, pack, scores)
    torch.testing.assert_close(attended, expected(queries, keys, values, pack, scores))
