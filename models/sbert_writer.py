"""The files by which sentence-transformers opens a bundle, in the schema that all its versions read.

    cls, mean           Transformer, Pooling
    cls_mlp             Transformer, Pooling (cls), Dense
    first_last, top2    Transformer, WeightedLayerPooling, Pooling (mean)

Other servers read `1_Pooling` and pass over modules that they do not know. Where layers are averaged first, the
pooling is therefore in `2_Pooling`, so that they stop instead of giving other vectors.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.config import AVERAGED_LAYERS, EncoderConfig, Pooling
from models.encoder import TextEncoder
from models.files import write_json

DENSE_SETTINGS: Mapping[str, object] = {
    "bias": True,
    "activation_function": "torch.nn.modules.activation.Tanh",
}
"""Of a Dense module that is an MLP head, beside its width."""


def write_modules(directory: Path, encoder: TextEncoder, dtype: torch.dtype) -> None:
    """Describe an encoder to sentence-transformers.

    Args:
        directory: of the bundle.
        encoder: its pooling, head and number of layers are described.
        dtype: of a module's weights on disk.
    """
    config = encoder.config
    folders = ["", "1_Pooling"]
    if encoder.head is not None:
        folders.append("2_Dense")
        _write_dense(directory / "2_Dense", encoder.head.dense, dtype)
    if config.pooling in AVERAGED_LAYERS:
        folders = ["", "1_WeightedLayerPooling", "2_Pooling"]
        _write_layer_average(directory / "1_WeightedLayerPooling", encoder, dtype)
    _write_pooling(directory / next(folder for folder in folders if folder.endswith("_Pooling")), config)
    _write_list(directory / "modules.json", folders)
    write_json(
        directory / "sentence_bert_config.json",
        {"max_seq_length": config.max_tokens, "do_lower_case": False},
    )
    write_json(
        directory / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": {"query": "", "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": config.similarity,
        },
    )


def layer_weights(pooling: Pooling, layers: int) -> Tensor:
    """(layers + 1,) how often each hidden state is in the average of a pooling of `AVERAGED_LAYERS`."""
    weights = torch.zeros(layers + 1)
    for layer in AVERAGED_LAYERS[pooling]:
        weights[layer] += 1
    return weights


def _write_list(path: Path, folders: list[str]) -> None:
    kinds = [folder.partition("_")[2] or "Transformer" for folder in folders]
    write_json(
        path,
        [
            {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
            for i, (folder, kind) in enumerate(zip(folders, kinds, strict=True))
        ],
    )


def _write_pooling(folder: Path, config: EncoderConfig) -> None:
    first_token = config.pooling in ("cls", "cls_mlp")
    settings = {
        "word_embedding_dimension": config.dimension,
        "pooling_mode_cls_token": first_token,
        "pooling_mode_mean_tokens": not first_token,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False,
        "include_prompt": True,
    }
    _write_module(folder, settings)


def _write_dense(folder: Path, layer: nn.Linear, dtype: torch.dtype) -> None:
    settings = {"in_features": layer.in_features, "out_features": layer.out_features, **DENSE_SETTINGS}
    tensors = {"linear.weight": layer.weight.to(dtype), "linear.bias": layer.bias.to(dtype)}
    _write_module(folder, settings, tensors)


def _write_layer_average(folder: Path, encoder: TextEncoder, dtype: torch.dtype) -> None:
    layers = int(encoder.backbone.config.num_hidden_layers)
    weights = layer_weights(encoder.config.pooling, layers)
    start = int(weights.nonzero()[0])
    settings = {
        "word_embedding_dimension": encoder.config.dimension,
        "layer_start": start,
        "num_hidden_layers": layers,
    }
    _write_module(folder, settings, {"layer_weights": weights[start:].to(dtype)})


def _write_module(folder: Path, settings: Mapping[str, object], tensors: Mapping[str, Tensor] | None = None) -> None:
    folder.mkdir()
    write_json(folder / "config.json", settings)
    if tensors:
        save_file(
            {name: tensor.detach().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors"
        )
