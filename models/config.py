"""EncoderConfig: what turns token states into a sentence vector, fixed for the life of a checkpoint."""

from dataclasses import dataclass
from typing import Literal, get_args

Pooling = Literal["cls", "cls_mlp", "mean", "first_last", "top2"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

Similarity = Literal["cosine"]


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """How an encoder is read out."""

    pooling: Pooling
    """`cls` takes the last layer's first token, before any pooler; `mean` averages all tokens."""
    max_tokens: int
    """Longest input in tokens, special tokens included; what is longer is cut."""
    dimension: int
    """Width of a sentence vector."""
    similarity: Similarity = "cosine"
    """How two sentence vectors are compared."""
