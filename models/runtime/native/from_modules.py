"""Weights for the kernels out of an opened checkpoint; arrays share the memory of its tensors."""

import numpy as np
from torch import Tensor

from models.checkpoint import Checkpoint
from models.runtime.architecture import Architecture, Layer, Norm, describe, relative_bias_of
from models.runtime.base import Precision
from models.runtime.native.heads import Heads
from models.runtime.native.runtime import NativeRuntime
from models.runtime.native.weights import ACTIVATIONS, Affine, Floats, LayerWeights, Weights
from models.runtime.unsupported import UnsupportedArchitecture


def native_runtime(checkpoint: Checkpoint, *, precision: Precision, threads: int, reason: str) -> NativeRuntime:
    """The kernels' runtime of an opened checkpoint.

    Raises:
        UnsupportedArchitecture: the kernels do not compute this backbone.
        OSError: the kernels were not built.
    """
    mlp, grounding = checkpoint.model.encoder.head, checkpoint.model.grounding
    return NativeRuntime(
        read_modules(describe(checkpoint.model.encoder.backbone), checkpoint.max_tokens),
        Heads(
            mlp=None if mlp is None else _affine(mlp.dense.weight, mlp.dense.bias),
            grounding=None if grounding is None else _affine(grounding.dense.weight, grounding.dense.bias),
        ),
        pooling=checkpoint.pooling,
        max_tokens=checkpoint.max_tokens,
        precision=precision,
        threads=threads,
        reason=reason,
    )


def read_modules(architecture: Architecture, max_tokens: int) -> Weights:
    """Weights of a backbone; raises UnsupportedArchitecture where the kernels do not compute it."""
    if architecture.pre_norm or architecture.gated or architecture.positions is None:
        raise UnsupportedArchitecture("its layers are not those of BERT (post-norm, with a table of positions)")
    eps = architecture.embedding_norm.eps
    return Weights(
        words=_array(architecture.words),
        positions=_array(architecture.positions),
        embedding_norm=_norm(architecture.embedding_norm, eps),
        layers=tuple(_layer(layer, eps) for layer in architecture.layers),
        heads=architecture.heads,
        activation=ACTIVATIONS[architecture.activation],
        eps=eps,
        distance_bias=_bias_by_distance(architecture, max_tokens),
    )


def _layer(layer: Layer, eps: float) -> LayerWeights:
    return LayerWeights(
        qkv=_affine(layer.qkv.weight, layer.qkv.bias),
        out=_affine(layer.attention_out.weight, layer.attention_out.bias),
        attention_norm=_norm(layer.attention_norm, eps),
        up=_affine(layer.up.weight, layer.up.bias),
        down=_affine(layer.down.weight, layer.down.bias),
        mlp_norm=_norm(layer.mlp_norm, eps),
    )


def _affine(weight: Tensor, bias: Tensor | None) -> Affine:
    if bias is None:
        raise UnsupportedArchitecture("one of its layers has no bias")
    return Affine(_array(weight), _array(bias))


def _norm(norm: Norm | None, eps: float) -> Affine:
    if norm is None or norm.eps != eps:
        raise UnsupportedArchitecture("its layer norms are not all alike")
    return _affine(norm.weight, norm.bias)


def _array(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().numpy(), np.float32)


def _bias_by_distance(architecture: Architecture, tokens: int) -> Floats | None:
    bias = relative_bias_of(architecture, tokens)
    if bias is None:
        return None
    to_the_left = bias[:, :, 0].flip(1)  # the last query sees the first key at the lowest distance
    return np.concatenate([_array(to_the_left), _array(bias[:, 0, 1:])], axis=1)
