"""Weights for the kernels straight from a bundle's files, without torch, so that a service starts in a second.

Taken are the plain descendants of BERT as this project exports them. Everything else, and everything that is wrong with
a file, is left to the ordinary way of opening, which computes more and explains more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.config import Pooling
from models.manifest import HEADS
from models.runtime.native.heads import Heads
from models.runtime.native.weights import ACTIVATIONS, Affine, Floats, LayerWeights, Weights

_FAMILIES = ("bert", "roberta", "xlm-roberta")
_ACTIVATION_NAMES = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}


class NeedsTorch(Exception):  # noqa: N818 (no failure: the other way is taken)
    """These files are not for this way of opening."""


@dataclass(frozen=True, slots=True)
class BundleWeights:
    """What the files of a bundle hold."""

    weights: Weights
    heads: Heads
    named: Mapping[str, Floats]
    """Every tensor by its name in `MCSE.state_dict()`"""


def read_bundle(directory: Path, config: Mapping[str, Any], pooling: Pooling) -> BundleWeights:
    """Read weights and heads.

    Args:
        directory: a bundle whose digests were checked.
        config: its `config.json`.
        pooling: decides whether the MLP head is a part of the encoder.

    Raises:
        NeedsTorch: the files hold something else.
    """
    _check_family(config)
    tensors = {name: array for name, array in _floats(directory / "model.safetensors").items() if "pooler" not in name}
    heads = _floats(directory / HEADS) if (directory / HEADS).exists() else {}
    reader = _Reader(tensors, hidden=int(config["hidden_size"]), intermediate=int(config["intermediate_size"]))
    weights = _weights(reader, config)
    if reader.left:
        raise NeedsTorch
    mlp = "encoder.head" if pooling == "cls_mlp" else "mlp"
    named = {f"encoder.backbone.{name}": array for name, array in tensors.items()}
    named |= {(mlp + name.removeprefix("mlp") if name.startswith("mlp.") else name): a for name, a in heads.items()}
    served = Heads(
        mlp=_head(heads, "mlp", reader.hidden) if pooling == "cls_mlp" else None,
        grounding=_head(heads, "grounding", reader.hidden) if "grounding.dense.weight" in heads else None,
    )
    return BundleWeights(weights, served, named)


def _check_family(config: Mapping[str, Any]) -> None:
    plain = (
        config.get("model_type") in _FAMILIES
        and isinstance(config.get("pad_token_id"), int)
        and 0 <= config["pad_token_id"] < int(config["max_position_embeddings"])
        and config.get("hidden_act") in _ACTIVATION_NAMES
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("add_cross_attention")
    )
    if not plain:
        raise NeedsTorch


def _floats(path: Path) -> dict[str, Floats]:
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise NeedsTorch from error
    floats = {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}
    if not all(np.isfinite(array).all() for array in floats.values()):
        raise NeedsTorch
    return floats


class _Reader:
    """Takes tensors by name and shape, and knows which were not asked for. The kernels trust these shapes."""

    def __init__(self, tensors: Mapping[str, Floats], *, hidden: int, intermediate: int) -> None:
        self._tensors = tensors
        self.hidden = hidden
        self.intermediate = intermediate
        self.left = set(tensors)

    def array(self, name: str, *shape: int) -> Floats:
        array = self._tensors.get(name)
        if array is None or array.shape != shape:
            raise NeedsTorch
        self.left.discard(name)
        return array

    def affine(self, name: str, out: int, deep: int) -> Affine:
        return Affine(self.array(f"{name}.weight", out, deep), self.array(f"{name}.bias", out))

    def norm(self, name: str) -> Affine:
        return Affine(self.array(f"{name}.weight", self.hidden), self.array(f"{name}.bias", self.hidden))


def _weights(reader: _Reader, config: Mapping[str, Any]) -> Weights:
    hidden = reader.hidden
    first = 0 if config["model_type"] == "bert" else int(config["pad_token_id"]) + 1
    positions = reader.array("embeddings.position_embeddings.weight", int(config["max_position_embeddings"]), hidden)
    types = reader.array("embeddings.token_type_embeddings.weight", int(config["type_vocab_size"]), hidden)
    return Weights(
        words=reader.array("embeddings.word_embeddings.weight", int(config["vocab_size"]), hidden),
        positions=positions[first:] + types[0],
        embedding_norm=reader.norm("embeddings.LayerNorm"),
        layers=tuple(_layer(reader, f"encoder.layer.{i}") for i in range(int(config["num_hidden_layers"]))),
        heads=int(config["num_attention_heads"]),
        activation=ACTIVATIONS[_ACTIVATION_NAMES[config["hidden_act"]]],
        eps=float(config["layer_norm_eps"]),
    )


def _layer(reader: _Reader, name: str) -> LayerWeights:
    hidden, intermediate = reader.hidden, reader.intermediate
    roles = [reader.affine(f"{name}.attention.self.{role}", hidden, hidden) for role in ("query", "key", "value")]
    return LayerWeights(
        qkv=Affine(np.concatenate([each.weight for each in roles]), np.concatenate([each.bias for each in roles])),
        out=reader.affine(f"{name}.attention.output.dense", hidden, hidden),
        attention_norm=reader.norm(f"{name}.attention.output.LayerNorm"),
        up=reader.affine(f"{name}.intermediate.dense", intermediate, hidden),
        down=reader.affine(f"{name}.output.dense", hidden, intermediate),
        mlp_norm=reader.norm(f"{name}.output.LayerNorm"),
    )


def _head(heads: Mapping[str, Floats], name: str, hidden: int) -> Affine:
    weight, bias = heads.get(f"{name}.dense.weight"), heads.get(f"{name}.dense.bias")
    if weight is None or bias is None or weight.shape != (len(bias), hidden):
        raise NeedsTorch
    return Affine(weight, bias)
