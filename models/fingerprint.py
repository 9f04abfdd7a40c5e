"""The fingerprint of a model: one hash over everything a served vector depends on."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.config import EncoderConfig

# What changes vectors without changing the shape of a weight, by the names in a Hugging Face config.
ARCHITECTURE = ("model_type", "num_attention_heads", "hidden_act", "activation", "layer_norm_eps", "norm_eps")


def fingerprint(
    architecture: Mapping[str, Any],
    weights: Iterable[tuple[str, NDArray[Any]]],
    tokenizer_json: str,
    config: EncoderConfig,
) -> str:
    """64 hex digits.

    Args:
        architecture: values by the names of `ARCHITECTURE`, None where the model has no such setting.
        weights: every tensor of encoder and heads by its name in `MCSE.state_dict()`. They are hashed as float32, so
            that a checkpoint keeps its fingerprint when only its file format changes.
        tokenizer_json: the whole tokenizer.
        config: how the encoder is read out.
    """
    digest = hashlib.sha256()
    digest.update(repr({key: architecture.get(key) for key in ARCHITECTURE}).encode())
    for name, weight in sorted(weights, key=lambda each: each[0]):
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(np.ascontiguousarray(weight, np.float32).data)
    digest.update(tokenizer_json.encode())
    digest.update(f"{config.pooling}|{config.max_tokens}|{config.similarity}".encode())
    return digest.hexdigest()
