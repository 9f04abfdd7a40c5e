"""One transformer layer on the rows of a pack, its weights prepared."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.architecture import Norm
from models.runtime.attention import Attend, Scores
from models.runtime.packing import Pack
from models.runtime.products import Product


def normalised(states: Tensor, norm: Norm) -> Tensor:
    """Layer normalisation of (rows, hidden)."""
    return functional.layer_norm(states, states.shape[-1:], norm.weight, norm.bias, norm.eps)


def rotated(rows: Tensor, angles: Tensor) -> Tensor:
    """Rotary positions (RoFormer, section 3.2.2) in the pairing of GPT-NeoX: a half of each head against the other.

    Args:
        rows: (tokens, heads, width) queries or keys.
        angles: (2, tokens, 1, width / 2) float32, cosines and sines.

    Returns:
        (tokens, heads, width) in the dtype of `rows`.
    """
    one, other = rows.float().chunk(2, dim=-1)
    cosine, sine = angles
    return torch.cat((one * cosine - other * sine, other * cosine + one * sine), dim=-1).to(rows.dtype)


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """Products in the compute dtype; the residual stream and the norms are in float32."""

    queries: Product | None
    """Set where only first tokens are to ask: then `projection` gives keys and values alone"""
    projection: Product
    """To queries, keys and values"""
    attention_out: Product
    attention_norm: Norm | None
    up: Product
    gate: Product | None
    """What the activated output of `up` is multiplied by"""
    down: Product
    mlp_norm: Norm
    pre_norm: bool
    heads: int
    dtype: torch.dtype
    attend: Attend
    scores: Scores
    rotary: Tensor | None
    """(2, longest, width / 2) float32 cosines and sines by place; None where nothing is rotated"""

    def __call__(self, states: Tensor, pack: Pack, *, whole: bool = False) -> Tensor:
        """(tokens, hidden) float32 to the same, or to (sentences, hidden) where only first tokens ask.

        With `whole` all of them ask in any case.
        """
        first_only = self.queries is not None and not whole
        return self._pre_norm(states, pack, first_only) if self.pre_norm else self._post_norm(states, pack, first_only)

    def _post_norm(self, states: Tensor, pack: Pack, first_only: bool) -> Tensor:
        attended = _asking(states, pack, first_only) + self._attention(states, pack, first_only)
        if self.attention_norm is not None:
            attended = normalised(attended, self.attention_norm)
        return normalised(attended + self._mlp(attended), self.mlp_norm)

    def _pre_norm(self, states: Tensor, pack: Pack, first_only: bool) -> Tensor:
        inner = states if self.attention_norm is None else normalised(states, self.attention_norm)
        attended = _asking(states, pack, first_only) + self._attention(inner, pack, first_only)
        return attended + self._mlp(normalised(attended, self.mlp_norm))

    def _attention(self, states: Tensor, pack: Pack, first_only: bool) -> Tensor:
        rows = states.to(self.dtype)
        tokens, hidden = states.shape
        parts = self.projection(rows).view(tokens, -1, self.heads, hidden // self.heads).unbind(1)
        if self.queries is not None:
            asked = self.queries(_asking(rows, pack, first_only))
            parts = (asked.view(-1, *parts[0].shape[1:]), *parts)
        queries, keys, values = parts
        if self.rotary is not None:
            angles = self.rotary[:, pack.places, None]
            # A first token has the place 0, which turns nothing.
            queries = queries if first_only else rotated(queries, angles)
            keys = rotated(keys, angles)
        return self.attention_out(self.attend(queries, keys, values, pack, self.scores))

    def _mlp(self, states: Tensor) -> Tensor:
        rows = states.to(self.dtype)
        inner = self.up(rows)
        return self.down(inner if self.gate is None else inner * self.gate(rows))


def _asking(rows: Tensor, pack: Pack, first_only: bool) -> Tensor:
    return rows[pack.firsts] if first_only else rows
