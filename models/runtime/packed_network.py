"""A described backbone made ready to compute packs: weights in the compute dtype, tables of angles and biases."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.architecture import Architecture, Layer, Linear, Norm, relative_bias_of
from models.runtime.attention import Attend, Scores, by_kernel, by_length_groups
from models.runtime.packed_layer import PackedLayer, normalised
from models.runtime.packing import Pack
from models.runtime.products import product

# Where the kernel for any lengths runs: bfloat16, from this compute capability on, heads of a multiple of this width.
_KERNEL_CAPABILITY, _KERNEL_WIDTH = (8, 0), 8


@dataclass(frozen=True, slots=True)
class PackedNetwork:
    """Embeddings and layers; all in float32 but the matrix products and attention."""

    words: Tensor
    positions: Tensor | None
    embedding_norm: Norm
    layers: tuple[PackedLayer, ...]
    final_norm: Norm | None

    def states(self, pack: Pack, *, whole: bool = False) -> Iterator[Tensor]:
        """(tokens, hidden) float32 after the embeddings, then after each layer.

        The last may have first tokens only, unless the `whole` is asked for.
        """
        states = functional.embedding(pack.ids, self.words)
        if self.positions is not None:
            states += functional.embedding(pack.places, self.positions)
        states = normalised(states, self.embedding_norm)
        for layer in self.layers:
            yield states
            states = layer(states, pack, whole=whole)
        yield states if self.final_norm is None else normalised(states, self.final_norm)

    @property
    def first_only(self) -> bool:
        """Whether the last layer gives the states of first tokens only."""
        return self.layers[-1].queries is not None


def prepare(
    architecture: Architecture, dtype: torch.dtype, device: torch.device, *, longest: int, first_only: bool
) -> PackedNetwork:
    """Weights as the kernels want them. On the CPU the embeddings are those of the architecture.

    Args:
        architecture: a described backbone.
        dtype: what matrix products and attention are computed in.
        device: where.
        longest: the longest sentence that will come, in tokens.
        first_only: whether only the first token's state after the last layer is wanted. A last layer with a window
            computes all: the kernel for any lengths counts a window from the end of the keys.
    """
    bias = relative_bias_of(architecture, longest)
    bias = None if bias is None else bias.to(device, dtype)
    *rest, last = architecture.layers
    ready = partial(_layer, architecture=architecture, dtype=dtype, device=device, longest=longest, bias=bias)
    return PackedNetwork(
        words=architecture.words.to(device),
        positions=None if architecture.positions is None else architecture.positions.to(device),
        embedding_norm=_norm(architecture.embedding_norm, device),
        layers=(*(ready(layer) for layer in rest), ready(last, first_only=first_only and last.window is None)),
        final_norm=None if architecture.final_norm is None else _norm(architecture.final_norm, device),
    )


def _layer(
    layer: Layer,
    *,
    architecture: Architecture,
    dtype: torch.dtype,
    device: torch.device,
    longest: int,
    bias: Tensor | None,
    first_only: bool = False,
) -> PackedLayer:
    ready = partial(product, dtype=dtype, device=device)
    queries, keys_values = _rows(layer.qkv, architecture.hidden)
    inner, gate = _rows(layer.up, layer.down.weight.shape[1])
    width = architecture.hidden // architecture.heads
    return PackedLayer(
        queries=ready(queries, None) if first_only else None,
        projection=ready(keys_values if first_only else layer.qkv, None),
        attention_out=ready(layer.attention_out, None),
        attention_norm=None if layer.attention_norm is None else _norm(layer.attention_norm, device),
        up=ready(inner, architecture.activation),
        gate=ready(gate, None) if architecture.gated else None,
        down=ready(layer.down, None),
        mlp_norm=_norm(layer.mlp_norm, device),
        pre_norm=architecture.pre_norm,
        heads=architecture.heads,
        dtype=dtype,
        attend=_attend(width, dtype, device, bias),
        scores=Scores(bias, layer.window),
        rotary=None if layer.rotary_theta is None else _rotary(layer.rotary_theta, longest, width).to(device),
    )


def _rows(linear: Linear, first: int) -> tuple[Linear, Linear]:
    """The first rows of a linear layer, and the others."""
    weights = linear.weight[:first], linear.weight[first:]
    biases = (None, None) if linear.bias is None else (linear.bias[:first], linear.bias[first:])
    return Linear(weights[0], biases[0]), Linear(weights[1], biases[1])


def _norm(norm: Norm, device: torch.device) -> Norm:
    return Norm(norm.weight.to(device), None if norm.bias is None else norm.bias.to(device), norm.eps)


def _rotary(theta: float, longest: int, width: int) -> Tensor:
    """(2, longest, width / 2) float32 cosines and sines of RoFormer's angles."""
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.arange(longest, dtype=torch.float32)[:, None] * frequencies
    return torch.stack((angles.cos(), angles.sin()))


def _attend(width: int, dtype: torch.dtype, device: torch.device, bias: Tensor | None) -> Attend:
    if device.type != "cuda" or dtype != torch.bfloat16 or bias is not None or width % _KERNEL_WIDTH:
        return by_length_groups
    return by_kernel if torch.cuda.get_device_capability(device) >= _KERNEL_CAPABILITY else by_length_groups
