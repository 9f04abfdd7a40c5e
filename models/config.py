"""EncoderConfig: what turns token states into a sentence vector, fixed for the life of a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Pooling = Literal["cls", "cls_mlp", "mean", "first_last", "top2"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

Kind = Literal["bundle", "sentence-transformers", "mcse", "simcse", "encoder"]
"""What a model directory was recognised as."""

Direction = Literal["right", "left"]
"""The end at which a text that is too long is cut."""

AVERAGED_LAYERS: Mapping[Pooling, tuple[int, int]] = {"first_last": (1, -1), "top2": (-2, -1)}
"""Which two hidden states a pooling averages, counted as transformers does: 0 is the embeddings, 1 the first layer.

SimCSE's evaluation once took the embeddings for the first layer; this is its corrected definition.
"""

_TOKENS_IF_UNSTATED = 512
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")  # they count positions from the padding id + 1


def token_limit(model_type: str, positions: int | None, stated: int | None) -> int:
    """The stated limit of a checkpoint, and never more than there are position embeddings."""
    most = (positions or _TOKENS_IF_UNSTATED) - (2 if positions and model_type in _OFFSET_POSITIONS else 0)
    return min(stated or most, most)


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
