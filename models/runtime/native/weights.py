"""A backbone's weights handed to the kernels, which pack them; and what the kernels do not compute."""

from collections.abc import Mapping
from ctypes import byref
from typing import Any

import torch
from torch import Tensor

from models.config import AVERAGED_LAYERS, Pooling
from models.runtime.architecture import (
    Activation,
    Architecture,
    Layer,
    Norm,
    UnsupportedArchitecture,
    relative_bias_of,
)
from models.runtime.native.library import Given, Shape

_ACTIVATIONS: Mapping[Activation, int] = {"gelu": 0, "gelu_tanh": 1, "relu": 2}
_LANES = 16  # numbers in a register


def checked(architecture: Architecture) -> Architecture:
    """The architecture; raises UnsupportedArchitecture where the kernels do not compute it."""
    if architecture.pre_norm or architecture.gated or architecture.positions is None:
        raise UnsupportedArchitecture("its layers are not those of BERT (post-norm, with a table of positions)")
    hidden, intermediate = architecture.hidden, architecture.layers[0].up.weight.shape[0]
    widths = (hidden, intermediate, hidden // architecture.heads)
    if any(width % _LANES for width in widths):
        raise UnsupportedArchitecture(f"of its widths {widths} one is not a multiple of {_LANES}")
    norms = [norm for layer in architecture.layers for norm in (layer.attention_norm, layer.mlp_norm)]
    if any(norm is None or norm.eps != architecture.embedding_norm.eps for norm in norms):
        raise UnsupportedArchitecture("its layer norms have more than one epsilon")
    return architecture


def positions_of(architecture: Architecture) -> Tensor:
    """(max positions, hidden) of a checked architecture."""
    if architecture.positions is None:
        raise UnsupportedArchitecture("it has no table of positions")
    return architecture.positions.contiguous()


def bias_by_distance(architecture: Architecture, tokens: int) -> Tensor | None:
    """(heads, 2 x tokens - 1) bias of the attention scores by the distance from query to key, lowest first; or None."""
    bias = relative_bias_of(architecture, tokens)
    if bias is None:
        return None
    to_the_left = bias[:, :, 0].flip(1)  # the last query sees the first key at the lowest distance
    return torch.cat([to_the_left, bias[:, 0, 1:]], dim=1).contiguous()


def new_model(functions: Any, architecture: Architecture, positions: Tensor, pooling: Pooling) -> int:
    """A model of the kernels. Linear layers are packed into it; the other tensors must stay alive as long as it.

    Raises:
        MemoryError: there is no room for the packed weights.
    """
    shares = _mean_shares(pooling, len(architecture.layers))
    shape = Shape(
        hidden=architecture.hidden,
        intermediate=architecture.layers[0].up.weight.shape[0],
        heads=architecture.heads,
        layers=len(architecture.layers),
        activation=_ACTIVATIONS[architecture.activation],
        first_token=not any(shares),
        eps=architecture.embedding_norm.eps,
    )
    words = (architecture.words.data_ptr(), positions.data_ptr())
    model: int = functions.model_new(byref(shape), *words, *_norm(architecture.embedding_norm), shares[0])
    for index, layer in enumerate(architecture.layers):
        if not functions.model_set_layer(model, index, byref(_given(layer, shares[index + 1]))):
            raise MemoryError("no memory for the packed weights of the model")
    return model


def _mean_shares(pooling: Pooling, layers: int) -> list[float]:
    """How much the mean of each hidden state counts, the embeddings' first; all 0 where the first token is read."""
    shares = [0.0] * (layers + 1)
    if pooling == "mean":
        shares[-1] = 1.0
    for layer in AVERAGED_LAYERS.get(pooling, ()):
        shares[layer] += 0.5
    return shares


def _given(layer: Layer, mean_share: float) -> Given:
    linear = [layer.qkv, layer.attention_out, layer.up, layer.down]
    pointers = [pointer for each in linear for pointer in (_pointer(each.weight), _pointer(each.bias))]
    return Given(*pointers, *_norm(layer.attention_norm), *_norm(layer.mlp_norm), mean_share)


def _norm(norm: Norm | None) -> tuple[int | None, int | None]:
    return (_pointer(norm.weight), _pointer(norm.bias)) if norm is not None else (None, None)


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
