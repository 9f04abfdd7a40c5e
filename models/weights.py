"""Read encoder weights of every supported layout into a backbone, and refuse what does not fit.

Released MCSE and SimCSE checkpoints hold two layers of the same name: BERT's own unused pooler (`bert.pooler.dense`)
and the trained MLP head (`pooler.dense`, in some releases `mlp.dense`). Stripping the prefix makes them collide, and
dictionary order decides. Here the unprefixed one is always the MLP head and the prefixed one is dropped.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from models.errors import CheckpointError
from models.inspection import require_held
from models.weight_files import check_weights, has_weights, read_pickled, read_state, tensors_of

_MLP_NAMES = ("pooler.dense", "mlp.dense")
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
    check_weights(directory)
    _config_that_fits(directory)
    transformers_logging.set_verbosity_error()  # what is missing is checked below and said in one sentence
    transformers_logging.disable_progress_bar()
    try:
        backbone, report = AutoModel.from_pretrained(
            directory, dtype=torch.float32, output_loading_info=True, local_files_only=True, trust_remote_code=False
        )
    except (
        Exception
    ) as error:  # transformers raises many kinds for what does not fit; the caller is told which directory
        raise CheckpointError(f"{directory}: the encoder could not be opened: {_reason(error)}") from error
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
    if not has_weights(directory):
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
    config = _config_that_fits(directory)
    backbone: PreTrainedModel = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
    return backbone


def _config_that_fits(directory: Path) -> PreTrainedConfig:
    """A config.json of whose network the files of weights can hold the numbers, found out without memory for them."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            network = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except (
        Exception
    ) as error:  # transformers raises many kinds for settings that cannot be; the caller is told which file
        raise CheckpointError(
            f"{directory / 'config.json'}: no encoder can be made of it ({_reason(error)})."
        ) from error
    require_held(directory, network)
    return config


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _mlp_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for layer in _MLP_NAMES:
        if f"{layer}.weight" in state:
            parts = {part: state.get(f"{layer}.{part}") for part in ("weight", "bias")}
            return {f"mlp.dense.{part}": tensor.float() for part, tensor in parts.items() if tensor is not None}
    return {}


def _mcse_heads(path: Path) -> dict[str, Tensor]:
    """The grounding and image heads that the original saves as `mcse.pt`."""
    if not path.exists():
        return {}
    saved = read_pickled(path)
    names = {"grounding": "grounding", "visn_model": "image"}
    heads = {}
    for original, ours in names.items():
        layer = saved.get(original, {})
        if not isinstance(layer, dict):
            raise CheckpointError(f"{path}: its {original} is no dictionary of tensors. Fetch the model again.")
        for name, tensor in tensors_of(path, layer).items():
            part = name.rsplit(".", 1)[-1]
            heads[f"{ours}.dense.{part}"] = tensor.float()
    return heads


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
