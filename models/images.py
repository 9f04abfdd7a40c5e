"""ImageEncoder: pictures in, one feature vector each out. The paper's f_v, fixed and never trained here.

Any vision backbone of transformers. What is read out of it is what its makers trained for the purpose: the projected
embedding of CLIP, the first token of ViT, DeiT and DINOv2, the pooled output of every other (for ResNet and
MobileNetV2 the global average pool, as in the paper).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    CLIPVisionModelWithProjection,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from models.errors import CheckpointError
from models.inspection import inspect_directory, require_held
from models.resolve import resolve
from models.weight_files import check_weights

Layer = Literal["image_embeds", "last_hidden_state[:, 0]", "pooler_output"]

_CLASS_STATE: Layer = "last_hidden_state[:, 0]"
_CPU_GROUP = 4  # pictures at a time on a CPU: more leave its caches, and 32 take 2.7 times as long each

_CLIP = ("clip", "clip_vision_model")
_WITH_CLASS_TOKEN = ("deit", "dinov2", "dinov2_with_registers", "vit")
_IRRELEVANT = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "transformers_version")
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_SIZES = ("size", "crop_size", "pad_size")  # settings of a processor
_MOST_WIDE = 2048  # pixels that a picture may be scaled to; the largest models take 1536


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """A vision backbone with the preprocessing that belongs to it. `pixels` may run on several threads at a time."""

    name: str
    """What it was asked for by: the directory's name, or the hub id."""
    layer: Layer
    """Which output of the model is the feature."""
    width: int
    """Of a feature vector."""
    preprocessing: dict[str, Any]
    """The settings of the model's own image processor: size, crop, resampling, mean and deviation."""
    fingerprint: str
    """64 hex digits over weights, architecture, layer and preprocessing."""
    _model: PreTrainedModel
    _processor: Any  # an image processor of transformers, whose classes share no typed base

    @classmethod
    def load(cls, name: str | Path, *, device: torch.device | None = None) -> "ImageEncoder":
        """Open a vision backbone in float32 and evaluation mode.

        Args:
            name: what `models.resolve.resolve` takes.
            device: where it computes; None is the CPU.

        Raises:
            CheckpointError: it is missing, damaged, incomplete, or no image encoder; one sentence with the cure.
        """
        directory = resolve(name)
        inspect_directory(directory)
        check_weights(directory)
        transformers_logging.set_verbosity_error()  # what is missing is checked below and said in one sentence
        transformers_logging.disable_progress_bar()
        model, layer = _read_model(directory)
        processor = _read_processor(directory)
        # Channels last: convolutions take a quarter less time on a CPU.
        model.to(device=device or torch.device("cpu"), memory_format=torch.channels_last)
        return cls(
            name=directory.name if Path(name).expanduser().is_dir() else str(name),
            layer=layer,
            width=_width(directory, model, processor, layer),
            preprocessing=json.loads(json.dumps(processor.to_dict(), default=str)),
            fingerprint=_fingerprint(model, processor, layer),
            _model=model,
            _processor=processor,
        )

    def pixels(self, image: Image.Image) -> Tensor:
        """Convert to RGB, resize, crop and normalise one picture as the model expects: (3, height, width) float32.

        Transparency is dropped, and an orientation in the EXIF data is not applied, as in the original's preprocessing.
        """
        return _pixels(self._processor, image)

    def encode_pixels(self, pixels: Tensor) -> NDArray[np.float32]:
        """The features of prepared pictures, (batch, 3, height, width) to (batch, width)."""
        return _features(self._model, self.layer, pixels)

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """The features of pictures of any size and mode: (images, width)."""
        if not images:
            return np.empty((0, self.width), dtype=np.float32)
        return self.encode_pixels(torch.stack([self.pixels(image) for image in images]))


def _read_processor(directory: Path) -> Any:
    if not any((directory / name).exists() for name in _PROCESSOR_FILES):
        raise CheckpointError(
            f"{directory}: no {_PROCESSOR_FILES[0]} in it, which says how a picture is prepared. "
            "Copy that file from where the model came."
        )
    try:
        # The PIL backend needs no torchvision, and gives the same pixels whether that is installed or not.
        processor = AutoImageProcessor.from_pretrained(
            directory, backend="pil", local_files_only=True, trust_remote_code=False
        )
        preprocessing = json.loads(json.dumps(processor.to_dict(), default=str))
    except Exception as error:  # transformers raises many kinds for settings that cannot be; the caller is told which
        raise CheckpointError(
            f"{directory}: no image processor can be made of its {_PROCESSOR_FILES[0]} ({_first_line(error)}). "
            "Copy that file from where the model came."
        ) from error
    _check_sizes(directory, preprocessing)
    return processor


def _check_sizes(directory: Path, preprocessing: dict[str, Any]) -> None:
    for name in _SIZES:
        size = preprocessing.get(name)
        for value in size.values() if isinstance(size, dict) else [size]:
            if isinstance(value, int | float) and not 0 < value <= _MOST_WIDE:
                raise CheckpointError(
                    f"{directory / _PROCESSOR_FILES[0]}: its {name} is not from 1 to {_MOST_WIDE} pixels. "
                    "Copy that file from where the model came."
                )


def _read_model(directory: Path) -> tuple[Any, Layer]:
    if not (directory / "config.json").exists():
        raise CheckpointError(
            f"{directory}: no config.json in it. Give the directory of a vision model of transformers."
        )
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        layer = _layer_of(config)
        vision = _vision_part(config)
        require_held(directory, _without_numbers(vision, layer))
        reader: Any = CLIPVisionModelWithProjection if layer == "image_embeds" else AutoModel
        model, report = reader.from_pretrained(
            directory,
            config=vision,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except CheckpointError:
        raise
    except (
        Exception
    ) as error:  # transformers raises many kinds for what does not fit; the caller is told which directory
        raise CheckpointError(
            f"{directory}: the image encoder could not be opened: {_first_line(error)}. "
            "Give the directory of a vision model of transformers, or fetch this one again."
        ) from error
    if layer == _CLASS_STATE and hasattr(model, "pooler"):
        model.register_module("pooler", None)  # no feature passes through it, and where it is missing it is random
    wanted = model.state_dict()
    missing = sorted(name for name in report["missing_keys"] if name in wanted)
    if missing:
        raise CheckpointError(
            f"{directory}: {len(missing)} weights are missing, {missing[0]} first. "
            "The weights do not belong to this config.json; fetch the model again."
        )
    return model.eval().requires_grad_(requires_grad=False), layer


def _without_numbers(config: Any, layer: Layer) -> Any:
    with torch.device("meta"):
        if layer == "image_embeds":
            return CLIPVisionModelWithProjection(config)
        return AutoModel.from_config(config, trust_remote_code=False)


def _layer_of(config: PreTrainedConfig) -> Layer:
    if config.model_type in _CLIP:
        return "image_embeds"
    return _CLASS_STATE if config.model_type in _WITH_CLASS_TOKEN else "pooler_output"


def _vision_part(config: PreTrainedConfig) -> PreTrainedConfig:
    """Of a whole CLIP only the vision tower is read; the width of its projection stands beside the tower."""
    if config.model_type != "clip":
        return config
    vision: PreTrainedConfig = config.vision_config
    vision.projection_dim = config.projection_dim
    return vision


def _pixels(processor: Any, image: Image.Image) -> Tensor:
    pixels: Tensor = processor(_rgb(image), return_tensors="pt")["pixel_values"][0]
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # a plain conversion would turn all but the darkest pixels white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:  # Pillow asks for this step in between
        image = image.convert("RGBA")
    return image.convert("RGB")


@torch.inference_mode()
def _features(model: PreTrainedModel, layer: Layer, pixels: Tensor) -> NDArray[np.float32]:
    pixels = pixels.to(model.device, memory_format=torch.channels_last)
    size = _CPU_GROUP if model.device.type == "cpu" else len(pixels)
    parts = [_read_out(model, layer, pixels[start : start + size]) for start in range(0, len(pixels), size)]
    array: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return array


def _read_out(model: PreTrainedModel, layer: Layer, pixels: Tensor) -> Tensor:
    output = model(pixel_values=pixels)
    # (batch, width): the class token after the last norm, or the pooled output, a map of (batch, width, 1, 1) included
    features: Tensor = output.last_hidden_state[:, 0] if layer == _CLASS_STATE else output[layer].flatten(1)
    return features.float()


def _width(directory: Path, model: PreTrainedModel, processor: Any, layer: Layer) -> int:
    """Encode two grey pictures: a model and a processor that do not fit each other are found here, not hours later."""
    try:
        grey = [_pixels(processor, Image.new("RGB", size, "grey")) for size in ((64, 64), (96, 40))]
        features = _features(model, layer, torch.stack(grey))
    except Exception as error:  # transformers raises many kinds for what does not fit; the caller is told which model
        raise CheckpointError(
            f"{directory}: {type(model).__name__} gives no image features ({_first_line(error)}). "
            "Give a vision backbone such as ResNet, ViT, CLIP, DINOv2 or MobileNetV2."
        ) from error
    if not np.isfinite(features).all():
        raise CheckpointError(f"{directory}: its features hold NaN or infinity. Fetch the model again.")
    return int(features.shape[1])


def _fingerprint(model: PreTrainedModel, processor: Any, layer: Layer) -> str:
    digest = hashlib.sha256()
    config = {key: value for key, value in model.config.to_diff_dict().items() if key not in _IRRELEVANT}
    facts = [config, processor.to_dict(), layer]
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.to("cpu", torch.float32).contiguous().numpy().data)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
