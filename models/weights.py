"""Read encoder weights of every supported layout into a backbone, and refuse what does not fit.

Released MCSE and SimCSE checkpoints hold two layers of the same name: BERT's own unused pooler (`bert.pooler.dense`)
and the trained MLP head (`pooler.dense`, in some releases `mlp.dense`). Stripping the prefix makes them collide, and
dictionary order decides. Here the unprefixed one is always the MLP head and the prefixed one is dropped.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from models.errors import CheckpointError

_MLP_NAMES = ("pooler.dense", "mlp.dense")
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_MLM_LAYERS = {  # by where the bias of the decoder is: BERT's names, and RoBERTa's
    "cls.predictions.bias": {"dense": "cls.predictions.transform.dense", "norm": "cls.predictions.transform.LayerNorm"},
    "lm_head.bias": {"dense": "lm_head.dense", "norm": "lm_head.layer_norm"},
}
_OLD_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}  # of a layer norm, as the first BERT files have them


def read_backbone(directory: Path) -> PreTrainedModel:
    """Open a plain Hugging Face encoder as float32.

    Raises:
        CheckpointError: the weights are missing, damaged, incomplete, not finite, or no encoder's.
    """
    _check_readable(directory)
    transformers_logging.set_verbosity_error()  # what is missing is checked below and said in one sentence
    transformers_logging.disable_progress_bar()
    try:
        backbone, report = AutoModel.from_pretrained(
            directory, dtype=torch.float32, output_loading_info=True, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise CheckpointError(f"{directory}: the encoder could not be opened: {reason}") from error
    missing = [name for name in report["missing_keys"] if "pooler" not in name]
    return _checked(directory, backbone, missing)


def read_contrastive(directory: Path) -> tuple[PreTrainedModel, dict[str, Tensor]]:
    """Open a released MCSE or SimCSE checkpoint, raw or converted.

    Returns:
        The backbone, and head tensors by the names of a bundle's heads (`mlp.dense.weight`, ...).
    """
    state = read_state(directory)
    backbone = _empty_backbone(directory)
    prefix = f"{backbone.base_model_prefix}."
    if not any(name.startswith(prefix) for name in state):
        prefix = ""
    heads = _mlp_of(state)
    body = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix) and ".pooler." not in f".{name}"
    }
    wanted = backbone.state_dict()
    missing = [name for name in wanted if name not in body and "pooler" not in name]
    fitting = {name: tensor for name, tensor in body.items() if name in wanted and wanted[name].shape == tensor.shape}
    backbone.load_state_dict(fitting, strict=False)
    misshapen = [name for name in body if name in wanted and name not in fitting]
    heads.update(_mcse_heads(directory / "mcse.pt"))
    return _checked(directory, backbone, missing + misshapen), heads


def read_mlm_head(directory: Path) -> dict[str, Tensor] | None:
    """The pretrained masked-language-model head of a BERT or RoBERTa, as float32; its decoder is the word embeddings.

    Returns:
        `dense.weight` (width, width), `dense.bias`, `norm.weight`, `norm.bias` (width,) and `bias` (vocabulary,); None
        where the weights file holds no such head.

    Raises:
        CheckpointError: the weights file is damaged.
    """
    if not any((directory / name).exists() for name in _WEIGHT_FILES):
        return None
    state = {_current_name(name): tensor for name, tensor in read_state(directory).items()}
    for bias, layers in _MLM_LAYERS.items():
        names = {f"{ours}.{part}": f"{theirs}.{part}" for ours, theirs in layers.items() for part in ("weight", "bias")}
        names["bias"] = bias
        if state.keys() >= set(names.values()):
            return {ours: state[theirs].float() for ours, theirs in names.items()}
    return None


def _current_name(name: str) -> str:
    for old, new in _OLD_ENDINGS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _empty_backbone(directory: Path) -> PreTrainedModel:
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        backbone: PreTrainedModel = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{directory / 'config.json'}: no encoder can be made of it ({error}).") from error
    return backbone


def _mlp_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for layer in _MLP_NAMES:
        if f"{layer}.weight" in state:
            return {f"mlp.dense.{part}": state[f"{layer}.{part}"].float() for part in ("weight", "bias")}
    return {}


def _mcse_heads(path: Path) -> dict[str, Tensor]:
    """The grounding and image heads that the original saves as `mcse.pt`."""
    if not path.exists():
        return {}
    saved = _torch_load(path)
    names = {"grounding": "grounding", "visn_model": "image"}
    heads = {}
    for original, ours in names.items():
        for name, tensor in dict(saved.get(original, {})).items():
            part = name.rsplit(".", 1)[-1]
            heads[f"{ours}.dense.{part}"] = tensor.float()
    return heads


def read_state(directory: Path) -> dict[str, Tensor]:
    """Every tensor of the weights file of a directory, as it is stored.

    Raises:
        CheckpointError: there is no such file, or it is damaged.
    """
    safe, pickled = (directory / name for name in _WEIGHT_FILES)
    if safe.exists():
        _check_readable(directory)
        return dict(load_file(safe))
    if pickled.exists():
        return dict(_torch_load(pickled))
    raise CheckpointError(f"{directory}: no model.safetensors or pytorch_model.bin. Fetch the model again.")


def _torch_load(path: Path) -> dict[str, Tensor]:
    try:
        # Never without weights_only: a pickle can run any code.
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; the caller is told which file
        raise CheckpointError(f"{path}: not a readable weights file ({type(error).__name__}).") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, found {type(loaded).__name__}.")
    return loaded


def _check_readable(directory: Path) -> None:
    """A damaged safetensors file is named here, before transformers reports it in its own words."""
    path = directory / "model.safetensors"
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error}). Fetch or export the model again."
        ) from error


def _checked(directory: Path, backbone: PreTrainedModel, missing: list[str]) -> PreTrainedModel:
    if missing:
        raise CheckpointError(
            f"{directory}: {len(missing)} weights are missing or misshapen, {missing[0]} first. "
            "The weights do not belong to this config.json; fetch or export the model again."
        )
    if backbone.config.is_encoder_decoder or not hasattr(backbone.config, "hidden_size"):
        raise CheckpointError(f"{directory}: {type(backbone).__name__} is not a text encoder.")
    for name, tensor in backbone.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{directory}: the weight {name} holds NaN or infinity.")
    if hasattr(backbone, "pooler"):
        # No vector of ours passes through it, and in some layouts it is random.
        backbone.register_module("pooler", None)
    backbone.eval()
    return backbone
