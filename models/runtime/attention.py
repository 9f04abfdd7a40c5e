"""Attention among the tokens of each sentence of a pack, without padding."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention

from models.runtime.packing import Group, Pack


@dataclass(frozen=True, slots=True)
class Scores:
    """What changes a layer's attention scores."""

    bias: Tensor | None = None
    """(heads, longest, longest) added by [head, query, key]; it depends on distance only, so that a corner of it serves
    every shorter sentence"""
    window: int | None = None
    """How many tokens to each side a token attends to; None is all of them"""


Attend = Callable[[Tensor, Tensor, Tensor, Pack, Scores], Tensor]
"""Queries (rows, heads, width), keys and values (tokens, heads, width) to (rows, heads x width).

There are as many queries as tokens, or one for each sentence: that of its first token."""


def by_length_groups(queries: Tensor, keys: Tensor, values: Tensor, pack: Pack, scores: Scores) -> Tensor:
    """Sentences of equal length attend together, so that none needs a mask for padding."""
    outputs, row, token = [], 0, 0
    first_only = len(queries) != len(keys)
    for group in pack.groups:
        asking = 1 if first_only else group.length
        rows, tokens = group.sentences * asking, group.sentences * group.length
        attended = scaled_dot_product_attention(
            _split(queries[row : row + rows], group.sentences),
            _split(keys[token : token + tokens], group.sentences),
            _split(values[token : token + tokens], group.sentences),
            attn_mask=_mask(scores, group, asking, queries),
        )
        outputs.append(attended.transpose(1, 2).reshape(rows, -1))
        row, token = row + rows, token + tokens
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _split(rows: Tensor, sentences: int) -> Tensor:
    """(sentences x length, heads, width) to (sentences, heads, length, width)."""
    return rows.view(sentences, -1, *rows.shape[1:]).transpose(1, 2)


def _mask(scores: Scores, group: Group, asking: int, like: Tensor) -> Tensor | None:
    """What is added to the scores, (1 or heads, asking, length) in the dtype of `like`; None where nothing is."""
    length = group.length
    if scores.bias is not None:
        return scores.bias[:, :asking, :length]
    if scores.window is None or length <= scores.window + 1:
        return None
    places = torch.arange(length, device=like.device)
    reached = (places[:asking, None] - places).abs() <= scores.window
    return like.new_zeros(reached.shape).masked_fill_(~reached, float("-inf"))[None]


def by_kernel(queries: Tensor, keys: Tensor, values: Tensor, pack: Pack, scores: Scores) -> Tensor:
    """All sentences in one call of the GPU's kernel for sequences of any lengths; it adds no bias to scores.

    No machine of these tests has a GPU: they check what is passed to the kernel, not the kernel.
    """
    first_only = len(queries) != len(keys)
    longest = pack.groups[-1].length
    asked = torch.arange(len(pack.starts), dtype=torch.int32, device=keys.device) if first_only else pack.starts
    reach = -1 if scores.window is None else scores.window
    attended = varlen_attn(
        queries, keys, values, asked, pack.starts, 1 if first_only else longest, longest, window_size=(reach, reach)
    )
    if not isinstance(attended, Tensor):
        raise TypeError("the attention kernel gave more than its output")
    return attended.flatten(1)
