"""A backbone's weights as the kernels take them, wherever they were read from."""

from collections.abc import Mapping
from ctypes import byref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.config import AVERAGED_LAYERS, Pooling
from models.runtime.native.library import Given, Shape
from models.runtime.unsupported import UnsupportedArchitecture

Floats = NDArray[np.float32]

ACTIVATIONS: Mapping[str, int] = {"gelu": 0, "gelu_tanh": 1, "relu": 2}
"""`Activation` in encoder.h."""
_LANES = 16  # numbers in a register


@dataclass(frozen=True, slots=True)
class Affine:
    """A linear layer, (out, in) and (out,); or a layer norm, both (hidden,). Contiguous."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One post-norm layer."""

    qkv: Affine
    """(3 x hidden, hidden): rows of the queries, then of the keys, then of the values"""
    out: Affine
    attention_norm: Affine
    up: Affine
    down: Affine
    mlp_norm: Affine


@dataclass(frozen=True, slots=True)
class Weights:
    """A BERT-like backbone."""

    words: Floats
    """(vocabulary, hidden)"""
    positions: Floats
    """(max positions, hidden): row 0 belongs to the first token; token type 0 is added in"""
    embedding_norm: Affine
    layers: tuple[LayerWeights, ...]
    heads: int
    activation: int
    eps: float
    distance_bias: Floats | None = None
    """(heads, 2 x longest - 1) bias of the attention scores by distance from query to key, lowest first"""

    def __post_init__(self) -> None:
        if not self.layers:
            raise UnsupportedArchitecture("it has no layers")
        hidden, intermediate = self.words.shape[1], self.layers[0].up.weight.shape[0]
        widths = (hidden, intermediate, hidden // self.heads)
        if any(width < 1 or width % _LANES for width in widths) or hidden % self.heads:
            raise UnsupportedArchitecture(f"of its widths {widths} one is not a multiple of {_LANES}")


def new_model(functions: Any, weights: Weights, pooling: Pooling) -> tuple[int, list[Floats]]:
    """A model of the kernels, and the arrays that must stay alive as long as it: those it reads where they are.

    Raises:
        MemoryError: there is no room for the packed weights.
    """
    shares = _mean_shares(pooling, len(weights.layers))
    shape = Shape(
        hidden=weights.words.shape[1],
        intermediate=weights.layers[0].up.weight.shape[0],
        heads=weights.heads,
        layers=len(weights.layers),
        activation=weights.activation,
        first_token=not any(shares),
        eps=weights.eps,
    )
    embeddings = (weights.words.ctypes.data, weights.positions.ctypes.data, *_pointers(weights.embedding_norm))
    model: int | None = functions.model_new(byref(shape), *embeddings, shares[0])
    if model is None:
        raise MemoryError("no memory for the model")
    for index, layer in enumerate(weights.layers):
        if not functions.model_set_layer(model, index, byref(_given(layer, shares[index + 1]))):
            raise MemoryError("no memory for the packed weights of the model")
    norms = [
        weights.embedding_norm,
        *(norm for each in weights.layers for norm in (each.attention_norm, each.mlp_norm)),
    ]
    return model, [weights.words, weights.positions, *(part for norm in norms for part in (norm.weight, norm.bias))]


def _mean_shares(pooling: Pooling, layers: int) -> list[float]:
    """How much the mean of each hidden state counts, the embeddings' first; all 0 where the first token is read."""
    shares = [0.0] * (layers + 1)
    if pooling == "mean":
        shares[-1] = 1.0
    for layer in AVERAGED_LAYERS.get(pooling, ()):
        shares[layer] += 0.5
    return shares


def _given(layer: LayerWeights, mean_share: float) -> Given:
    parts = (layer.qkv, layer.out, layer.up, layer.down, layer.attention_norm, layer.mlp_norm)
    return Given(*[pointer for part in parts for pointer in _pointers(part)], mean_share)


def _pointers(part: Affine) -> tuple[int, int]:
    return part.weight.ctypes.data, part.bias.ctypes.data
