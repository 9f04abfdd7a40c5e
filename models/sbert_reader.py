"""Read what a sentence-transformers directory does with token states, and say which of our poolings that is.

Opened are Transformer, Pooling (cls or mean) and Normalize; Dense after cls, as `cls_mlp`; WeightedLayerPooling before
mean, as `first_last` or `top2`. Everything else is refused: vectors that are almost right are worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.config import AVERAGED_LAYERS, Pooling
from models.errors import CheckpointError
from models.inspection import MOST_LAYERS
from models.manifest import read_json, read_value
from models.prompts import FILE, read_prompts
from models.sbert_writer import DENSE_SETTINGS, layer_weights
from models.weight_files import read_state

_OPENED = ("Transformer", "WeightedLayerPooling", "Pooling", "Dense", "Normalize")  # in this order
_LEGACY_MODES: Mapping[str, Pooling] = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
_DENSE_DEFAULTS = {
    "use_residual": False,
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}


@dataclass(frozen=True, slots=True)
class SbertModules:
    """What the modules of a directory compute."""

    pooling: Pooling
    reason: str
    """Which files say so"""
    dense: Path | None = None
    """The folder of the MLP head; None without a head"""


def read_modules(directory: Path) -> SbertModules:
    """Read `modules.json` and the settings of every module.

    Raises:
        CheckpointError: a file is damaged, or the modules compute something that this project does not.
    """
    folders = _folders(directory / "modules.json")
    path = folders["Pooling"]
    pooling = _pooling_of(directory / path / "config.json")
    if pooling == "mean":
        _check_prompts(directory, directory / path / "config.json")
    layers, dense = folders.get("WeightedLayerPooling"), folders.get("Dense")
    if layers is None and dense is None:
        return SbertModules(pooling, f"{path}/config.json says so")
    if layers is None and dense is not None and pooling == "cls":
        _check_dense(directory / dense / "config.json")
        return SbertModules("cls_mlp", f"{path}/config.json and {dense} say so", directory / dense)
    if layers is not None and dense is None and pooling == "mean":
        return SbertModules(_averaged(directory, layers), f"{layers} and {path}/config.json say so")
    raise CheckpointError(
        f"{directory / 'modules.json'}: it joins {', '.join(folders)} with {pooling} pooling; "
        "this project computes Dense after cls, and WeightedLayerPooling before mean."
    )


def read_dense(folder: Path) -> dict[str, Tensor]:
    """The weights of a Dense module as float32, by the names of a bundle's MLP head.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    state = read_state(folder)
    if state.keys() != {"linear.weight", "linear.bias"}:
        raise CheckpointError(f"{folder}: its weights are not linear.weight and linear.bias. Fetch the model again.")
    return {f"mlp.dense.{name.removeprefix('linear.')}": tensor.float() for name, tensor in state.items()}


def _folders(path: Path) -> dict[str, str]:
    """The folder of each module, by its kind."""
    modules = _read_list(path)
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    unknown = [kind for kind in kinds if kind not in _OPENED]
    if unknown or "Pooling" not in kinds:
        what = f"the module {unknown[0]}" if unknown else "no Pooling module"
        raise CheckpointError(f"{path}: it has {what}; this project opens {', '.join(_OPENED)}.")
    if kinds != [kind for kind in _OPENED if kind in kinds]:
        raise CheckpointError(f"{path}: its modules are {', '.join(kinds)}; this project opens {', '.join(_OPENED)}.")
    folders = {kind: str(module.get("path", "")) for kind, module in zip(kinds, modules, strict=True)}
    if any(Path(each).is_absolute() or ".." in Path(each).parts or len(each) > 255 for each in folders.values()):
        raise CheckpointError(f"{path}: one of its modules is not below the directory. Fetch the model again.")
    return folders


def _read_list(path: Path) -> list[dict[str, Any]]:
    modules = read_value(path)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise CheckpointError(f"{path}: expected a list of modules. Fetch the model again.")
    return modules


def _pooling_of(path: Path) -> Pooling:
    settings = read_json(path)
    chosen = settings.get("pooling_mode")  # the schema since sentence-transformers 5.4
    if chosen is None:  # the schema before: one boolean per mode
        chosen = [
            _LEGACY_MODES.get(key, key) for key, value in settings.items() if key.startswith("pooling_mode_") and value
        ]
    modes = [chosen] if isinstance(chosen, str) else list(chosen)
    for pooling in _LEGACY_MODES.values():
        if modes == [pooling]:
            return pooling
    raise CheckpointError(
        f"{path}: its pooling is {' and '.join(map(str, modes)) or 'not given'}; this project computes cls or mean."
    )


def _check_prompts(directory: Path, path: Path) -> None:
    """A prompt's tokens count in the mean, as they do in sentence-transformers unless `include_prompt` is false."""
    if read_json(path).get("include_prompt") is False and any(read_prompts(directory).named.values()):
        raise CheckpointError(
            f"{path}: its include_prompt is false, which leaves a prompt's tokens out of the mean; this project counts "
            f"them. Take the prompts out of {FILE} and send texts without them."
        )


def _check_dense(path: Path) -> None:
    """The MLP head is a square layer with bias and tanh; sentence-transformers' Dense can be more."""
    settings = read_json(path)
    wanted = {**DENSE_SETTINGS, **_DENSE_DEFAULTS, "out_features": settings.get("in_features")}
    for name, value in wanted.items():
        found = settings.get(name, value)
        if found != value:
            raise CheckpointError(
                f"{path}: its {name} is {repr(found)[:100]}, but {value!r} is expected: this project computes a "
                "Dense module that keeps the width, has a bias and ends in tanh."
            )


def _averaged(directory: Path, folder: str) -> Pooling:
    """Which two layers are averaged."""
    if not read_json(directory / "config.json").get("output_hidden_states"):
        raise CheckpointError(
            f"{directory / 'config.json'}: output_hidden_states is not true, so sentence-transformers passes over "
            f"{folder}. Set it, or take the module out of modules.json."
        )
    settings = read_json(directory / folder / "config.json")
    start, layers = settings.get("layer_start"), settings.get("num_hidden_layers")
    weights = read_state(directory / folder).get("layer_weights")
    if not isinstance(start, int) or not isinstance(layers, int) or weights is None or not 1 < layers <= MOST_LAYERS:
        raise CheckpointError(
            f"{directory / folder}: layer_start, num_hidden_layers or layer_weights is missing or wrong."
        )
    shares = weights.float() / weights.float().sum()
    for pooling in AVERAGED_LAYERS:
        wanted = layer_weights(pooling, layers)
        before, after = wanted[:start], wanted[start:] / wanted.sum()
        if not before.any() and shares.shape == after.shape and torch.allclose(shares, after):
            return pooling
    raise CheckpointError(
        f"{directory / folder}: its layer_weights are of other layers than this project averages: "
        "the first and the last, or the last two, in equal parts."
    )
