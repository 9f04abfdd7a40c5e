"""EncoderConfig: what turns token states into a sentence vector, fixed for the life of a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Pooling = Literal["cls", "cls_mlp", "mean", "first_last", "top2"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

AVERAGED_LAYERS: Mapping[Pooling, tuple[int, int]] = {"first_last": (1, -1), "top2": (-2, -1)}
"""Which two hidden states a pooling averages, counted as transformers does: 0 is the embeddings, 1 the first layer.

SimCSE's evaluation once took the embeddings for the first layer; this is its corrected definition.
"""

Similarity = Literal["cosine"]


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """How an encoder is read out."""

    pooling: Pooling
    """`cls`: the last layer's first token, before any pooler. `cls_mlp`: the same through the trained MLP head.
    `mean`: all tokens of the last layer. `first_last`, `top2`: all tokens of the mean of two layers."""
    max_tokens: int
    """Longest input in tokens, special tokens included; what is longer is cut."""
    dimension: int
    """Width of a sentence vector."""
    similarity: Similarity = "cosine"
    """How two sentence vectors are compared."""
