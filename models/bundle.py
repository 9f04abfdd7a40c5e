"""The checkpoint directory of this project: written whole, verified by digest, readable by three worlds.

A bundle is a Hugging Face model (`config.json`, `model.safetensors`, `tokenizer.json`), a sentence-transformers
model (`modules.json` and a folder per module, in the schema every version reads), and MCSE's own part: `mcse.json`,
`heads.safetensors`, `manifest.json` with the SHA-256 of every file, and `README.md`, the model card.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer

from models.config import AVERAGED_LAYERS, EncoderConfig
from models.errors import CheckpointError
from models.files import replaced_directory, write_json
from models.heads import GroundingProjection, ImageProjection, MLPHead
from models.manifest import CARD, CURE, FORMAT, HEADS, write_manifest
from models.mcse import MCSE
from models.sbert_writer import write_modules
from models.weight_files import read_safetensors

_POOLERS: Mapping[str, str] = {
    "bert": "pooler.dense",
    "roberta": "pooler.dense",
    "xlm-roberta": "pooler.dense",
    "mpnet": "pooler.dense",
    "albert": "pooler",
}
"""The layer of transformers that, like the MLP head, is a linear layer and tanh on the first token."""

Precision = Literal["float32", "float16"]
_DTYPES: Mapping[Precision, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}


def save_bundle(
    target: Path,
    model: MCSE,
    *,
    tokenizer_from: Path,
    card: Mapping[str, Any],
    readme: str,
    precision: Precision = "float32",
) -> None:
    """Write a checkpoint directory; it appears whole or not at all.

    Args:
        target: the directory to make or replace.
        model: encoder and heads, float32.
        tokenizer_from: a Hugging Face directory whose tokenizer belongs to the model.
        card: what `mcse.json` shall say beside the encoder's own facts (base model, training, scores).
        readme: the model card as Markdown.
        precision: of the weights on disk. They are always read back as float32.
    """
    dtype = _DTYPES[precision]
    with replaced_directory(target) as directory:
        _write_backbone(directory, model, dtype)
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_from, local_files_only=True, trust_remote_code=False)
        tokenizer.save_pretrained(directory)
        write_modules(directory, model.encoder, dtype)
        heads = _head_tensors(model)
        save_file({name: tensor.to(dtype) for name, tensor in heads.items()}, directory / HEADS)
        write_json(directory / CARD, {**_encoder_facts(model.encoder.config), **card})
        (directory / "README.md").write_text(readme, encoding="utf-8")
        write_manifest(directory)


def read_heads(directory: Path) -> dict[str, Tensor]:
    """The tensors of `heads.safetensors` as float32; empty where the file is absent."""
    path = directory / HEADS
    if not path.exists():
        return {}
    return {name: tensor.float() for name, tensor in read_safetensors(path).items()}


def build_heads(
    tensors: Mapping[str, Tensor],
) -> tuple[MLPHead | None, GroundingProjection | None, ImageProjection | None]:
    """Make the heads whose weights are there; shapes are taken from the weights."""
    mlp = grounding = image = None
    if (weight := _matrix(tensors, "mlp")) is not None:
        mlp = MLPHead(weight.shape[0])
        _fill(mlp.dense, tensors, "mlp")
    if (weight := _matrix(tensors, "grounding")) is not None:
        grounding = GroundingProjection(weight.shape[1], weight.shape[0])
        _fill(grounding.dense, tensors, "grounding")
    if (weight := _matrix(tensors, "image")) is not None:
        image = ImageProjection(weight.shape[1], weight.shape[0])
        _fill(image.dense, tensors, "image")
    return mlp, grounding, image


def _matrix(tensors: Mapping[str, Tensor], head: str) -> Tensor | None:
    """The weight of a head, if it is there; a layer is made only where it has the shape of one."""
    weight = tensors.get(f"{head}.dense.weight")
    if weight is not None and (weight.ndim != 2 or (head == "mlp" and weight.shape[0] != weight.shape[1])):
        raise CheckpointError(f"{HEADS}: the {head} head has the shape {tuple(weight.shape)}. {CURE}")
    return weight


def _fill(layer: torch.nn.Linear, tensors: Mapping[str, Tensor], head: str) -> None:
    try:
        layer.load_state_dict({"weight": tensors[f"{head}.dense.weight"], "bias": tensors[f"{head}.dense.bias"]})
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{HEADS}: the {head} head is incomplete or misshapen. {CURE}") from error


def _write_backbone(directory: Path, model: MCSE, dtype: torch.dtype) -> None:
    backbone = model.encoder.backbone
    tensors = {
        name: tensor.detach().to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in backbone.state_dict().items()
    }
    pooler = _POOLERS.get(backbone.config.model_type)
    if model.text_head is not None and pooler is not None:
        # As in the released checkpoints: `pooler_output` of transformers is then the trained MLP head.
        for name, tensor in model.text_head.dense.state_dict().items():
            tensors[f"{pooler}.{name}"] = tensor.to(dtype)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    config = backbone.config.to_dict()
    # Half precision is for the disk only: every loader shall compute in float32 unless told otherwise.
    config["dtype"] = "float32"
    config["architectures"] = [type(backbone).__name__]  # the base may have carried a task's head
    # sentence-transformers averages layers only where the backbone gives them unasked.
    config["output_hidden_states"] = model.encoder.config.pooling in AVERAGED_LAYERS
    config.pop("_name_or_path", None)
    write_json(directory / "config.json", config)


def _head_tensors(model: MCSE) -> dict[str, Tensor]:
    """By the same names whether the MLP is for training only or a part of the encoder."""
    heads = {"mlp": model.text_head, "grounding": model.grounding, "image": model.image}
    return {
        f"{head}.{name}": tensor.detach().contiguous()
        for head, module in heads.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }


def _encoder_facts(config: EncoderConfig) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "pooling": config.pooling,
        "max_tokens": config.max_tokens,
        "dimension": config.dimension,
        "similarity": config.similarity,
    }
