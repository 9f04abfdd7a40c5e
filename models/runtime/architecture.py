"""What a fast path needs to know of a backbone: its weights by role, read out of transformers' modules."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.runtime.unsupported import UnsupportedArchitecture

Activation = Literal["gelu", "gelu_tanh", "relu"]


@dataclass(frozen=True, slots=True)
class Linear:
    """x W^T + b."""

    weight: Tensor
    """(out, in) float32, contiguous"""
    bias: Tensor | None
    """(out,) float32"""


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation over the hidden width."""

    weight: Tensor
    """(hidden,) float32"""
    bias: Tensor | None
    """(hidden,) float32"""
    eps: float


@dataclass(frozen=True, slots=True)
class Layer:
    """Attention and feed-forward network of one transformer layer."""

    qkv: Linear
    """(3 x hidden, hidden): rows of the queries, then of the keys, then of the values; each head by head"""
    attention_out: Linear
    """(hidden, hidden)"""
    attention_norm: Norm | None
    """Post-norm: after the residual sum. Pre-norm: before `qkv`; None where the layer takes its input as it is"""
    up: Linear
    """(intermediate, hidden); gated: (2 x intermediate, hidden), the half that is activated first"""
    down: Linear
    """(hidden, intermediate)"""
    mlp_norm: Norm
    """Post-norm: after the residual sum. Pre-norm: before `up`"""
    rotary_theta: float | None = None
    """Base of the rotary angles of queries and keys; None where nothing is rotated"""
    window: int | None = None
    """How many tokens to each side a token attends to; None is all of them"""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A whole backbone. Weights that need no change are those of the modules, not copies."""

    words: Tensor
    """(vocabulary, hidden) float32"""
    positions: Tensor | None
    """(max positions, hidden) float32: row 0 belongs to the first token, token type 0 is added in; None without"""
    embedding_norm: Norm
    layers: tuple[Layer, ...]
    final_norm: Norm | None
    """After the last layer (pre-norm)"""
    heads: int
    activation: Activation
    pre_norm: bool
    gated: bool
    """Whether the activated half of `up` is multiplied by its other half"""
    relative_bias: Tensor | None
    """(heads, buckets) float32, added to attention scores by distance (`relative_bias_of`); None without"""

    @property
    def hidden(self) -> int:
        """Width of a token state."""
        return self.words.shape[1]


def describe(backbone: PreTrainedModel) -> Architecture:
    """Read a backbone's weights by role. It must be in float32; what it holds is shared, so it must not change after.

    Raises:
        UnsupportedArchitecture: it is of another family, or its config changes what is computed.
    """
    family = type(backbone).__name__
    if family not in _FAMILIES:
        raise UnsupportedArchitecture(f"{family} is not one of {', '.join(_FAMILIES)}")
    architecture = _FAMILIES[family](backbone)
    if not architecture.layers:
        raise UnsupportedArchitecture(f"{family} without layers is computed by no fast path")
    return architecture


# MPNet fixes both in its code: its config's number of buckets only sizes the table.
_BUCKETS, _FARTHEST = 32, 128


def relative_bias_of(architecture: Architecture, length: int) -> Tensor | None:
    """(heads, length, length) float32 bias of the attention scores, [head, query, key]; None where there is none.

    Distances have buckets of their own up to 7, then ever wider ones up to 128 (T5, section 2.1); tokens to the right
    have the upper half of the buckets.
    """
    if architecture.relative_bias is None:
        return None
    half = _BUCKETS // 2
    exact = half // 2
    places = torch.arange(length, device=architecture.relative_bias.device)
    offset = places[None, :] - places[:, None]
    distance = offset.abs()
    wider = (distance.float() / exact).log() / math.log(_FARTHEST / exact) * (half - exact)
    bucket = torch.where(distance < exact, distance, (exact + wider.clamp(min=0).long()).clamp(max=half - 1))
    return architecture.relative_bias[:, bucket + half * (offset > 0)].contiguous()


_ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "relu": "relu",
}


def _activation(model: Any, name: object) -> Activation:
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise UnsupportedArchitecture(
            f"{type(model).__name__} with the activation {name!r} is computed by no fast path"
        )
    return _ACTIVATIONS[name]


def _linear(module: Any) -> Linear:
    return Linear(module.weight.detach(), None if module.bias is None else module.bias.detach())


def _fused(*modules: Any) -> Linear:
    return Linear(
        torch.cat([module.weight.detach() for module in modules]),
        torch.cat([module.bias.detach() for module in modules]),
    )


def _norm(module: Any) -> Norm:
    return Norm(module.weight.detach(), None if module.bias is None else module.bias.detach(), float(module.eps))


def _post_norm(
    model: Any,
    *,
    positions: Tensor,
    layers: list[Layer],
    heads: int,
    activation: object,
    relative: Tensor | None = None,
) -> Architecture:
    """What all descendants of BERT share."""
    return Architecture(
        words=model.embeddings.word_embeddings.weight.detach(),
        positions=positions,
        embedding_norm=_norm(model.embeddings.LayerNorm),
        layers=tuple(layers),
        final_norm=None,
        heads=heads,
        activation=_activation(model, activation),
        pre_norm=False,
        gated=False,
        relative_bias=relative,
    )


def _bert(model: Any) -> Architecture:
    return _bert_from(model, first_position=0)


def _roberta(model: Any) -> Architecture:
    """Positions are counted from the padding id + 1."""
    return _bert_from(model, first_position=model.embeddings.padding_idx + 1)


def _bert_from(model: Any, first_position: int) -> Architecture:
    config, embeddings = model.config, model.embeddings
    kind = getattr(config, "position_embedding_type", None) or "absolute"
    if kind != "absolute":
        raise UnsupportedArchitecture(f"{type(model).__name__} with {kind!r} positions is computed by no fast path")
    if config.is_decoder or config.add_cross_attention:
        raise UnsupportedArchitecture(f"{type(model).__name__} as a decoder is computed by no fast path")
    return _post_norm(
        model,
        positions=embeddings.position_embeddings.weight.detach()[first_position:]
        + embeddings.token_type_embeddings.weight.detach()[0],
        layers=[_bert_layer(layer) for layer in model.encoder.layer],
        heads=config.num_attention_heads,
        activation=config.hidden_act,
    )


def _bert_layer(layer: Any) -> Layer:
    attention, output = layer.attention.self, layer.attention.output
    return Layer(
        qkv=_fused(attention.query, attention.key, attention.value),
        attention_out=_linear(output.dense),
        attention_norm=_norm(output.LayerNorm),
        up=_linear(layer.intermediate.dense),
        down=_linear(layer.output.dense),
        mlp_norm=_norm(layer.output.LayerNorm),
    )


def _mpnet(model: Any) -> Architecture:
    embeddings = model.embeddings
    return _post_norm(
        model,
        positions=embeddings.position_embeddings.weight.detach()[embeddings.padding_idx + 1 :],
        layers=[_mpnet_layer(layer) for layer in model.encoder.layer],
        heads=model.config.num_attention_heads,
        activation=model.config.hidden_act,
        relative=model.encoder.relative_attention_bias.weight.detach().T.contiguous(),
    )


def _mpnet_layer(layer: Any) -> Layer:
    attention = layer.attention.attn
    return Layer(
        qkv=_fused(attention.q, attention.k, attention.v),
        attention_out=_linear(attention.o),
        attention_norm=_norm(layer.attention.LayerNorm),
        up=_linear(layer.intermediate.dense),
        down=_linear(layer.output.dense),
        mlp_norm=_norm(layer.output.LayerNorm),
    )


def _distilbert(model: Any) -> Architecture:
    return _post_norm(
        model,
        positions=model.embeddings.position_embeddings.weight.detach(),
        layers=[_distilbert_layer(layer) for layer in model.transformer.layer],
        heads=model.config.n_heads,
        activation=model.config.activation,
    )


def _distilbert_layer(layer: Any) -> Layer:
    attention = layer.attention
    return Layer(
        qkv=_fused(attention.q_lin, attention.k_lin, attention.v_lin),
        attention_out=_linear(attention.out_lin),
        attention_norm=_norm(layer.sa_layer_norm),
        up=_linear(layer.ffn.lin1),
        down=_linear(layer.ffn.lin2),
        mlp_norm=_norm(layer.output_layer_norm),
    )


def _modernbert(model: Any) -> Architecture:
    config = model.config
    return Architecture(
        words=model.embeddings.tok_embeddings.weight.detach(),
        positions=None,
        embedding_norm=_norm(model.embeddings.norm),
        layers=tuple(_modernbert_layer(layer, config) for layer in model.layers),
        final_norm=_norm(model.final_norm),
        heads=config.num_attention_heads,
        activation=_activation(model, config.hidden_activation),
        pre_norm=True,
        gated=True,
        relative_bias=None,
    )


def _modernbert_layer(layer: Any, config: Any) -> Layer:
    rotary = config.rope_parameters[layer.attention_type]
    if rotary["rope_type"] != "default":
        raise UnsupportedArchitecture(f"ModernBertModel with {rotary['rope_type']!r} rotary angles has no fast path")
    return Layer(
        qkv=_linear(layer.attn.Wqkv),
        attention_out=_linear(layer.attn.Wo),
        attention_norm=_norm(layer.attn_norm) if hasattr(layer.attn_norm, "weight") else None,
        up=_linear(layer.mlp.Wi),
        down=_linear(layer.mlp.Wo),
        mlp_norm=_norm(layer.mlp_norm),
        rotary_theta=float(rotary["rope_theta"]),
        window=config.sliding_window if layer.attention_type == "sliding_attention" else None,
    )


_FAMILIES: Mapping[str, Callable[[Any], Architecture]] = {
    "BertModel": _bert,
    "RobertaModel": _roberta,
    "XLMRobertaModel": _roberta,
    "CamembertModel": _roberta,
    "MPNetModel": _mpnet,
    "DistilBertModel": _distilbert,
    "ModernBertModel": _modernbert,
}
