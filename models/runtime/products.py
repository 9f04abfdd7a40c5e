"""Matrix products with weights prepared once, in the layout that the processor's kernels want."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.architecture import Activation, Linear

Product = Callable[[Tensor], Tensor]
"""(rows, in) to (rows, out), bias and activation applied, in the dtype of the prepared weights."""

_PLAIN: Mapping[Activation | None, Callable[[Tensor], Tensor]] = {
    None: lambda rows: rows,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
}
# oneDNN's name for what follows the product, and for the way it is computed.
_FUSED: Mapping[Activation | None, tuple[str, str]] = {
    None: ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
}


def product(linear: Linear, activation: Activation | None, dtype: torch.dtype, device: torch.device) -> Product:
    """A linear layer made ready to multiply in a dtype on a device."""
    weight = linear.weight.to(device, dtype)
    bias = None if linear.bias is None else linear.bias.to(device, dtype)
    if device.type == "cpu" and _onednn_computes(dtype):
        return _prepacked(weight, bias, activation)
    return _plain(weight, bias, activation)


def _onednn_computes(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _prepacked(weight: Tensor, bias: Tensor | None, activation: Activation | None) -> Product:
    """Weights laid out in blocks once; bias and activation are applied while a block of results is in registers."""
    blocks = torch.ops.mkldnn._reorder_linear_weight(weight)
    name, algorithm = _FUSED[activation]

    def multiply(rows: Tensor) -> Tensor:
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(rows, blocks, bias, name, [], algorithm))

    return multiply


def _plain(weight: Tensor, bias: Tensor | None, activation: Activation | None) -> Product:
    activate = _PLAIN[activation]

    def multiply(rows: Tensor) -> Tensor:
        return activate(functional.linear(rows, weight, bias))

    return multiply
