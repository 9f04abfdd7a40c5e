"""Make what a run trains from the configuration: the encoder with its heads, on its device."""

import copy
import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

from models import Checkpoint, TextTokenizer, load
from models.encoder import TextEncoder
from models.heads import GroundingProjection, ImageProjection, MLPHead
from models.mcse import MCSE
from models.weights import read_mlm_head
from training.config import TrainConfig
from training.errors import ConfigError
from training.objective.encode import word_embeddings
from training.objective.mlm import MLMHead


class Trained(nn.Module):
    """Every parameter that a run changes."""

    def __init__(self, mcse: MCSE, mlm: MLMHead | None) -> None:
        super().__init__()
        self.mcse = mcse
        self.mlm = mlm


@dataclass(frozen=True, slots=True)
class Trainee:
    """What a run trains."""

    trained: Trained
    """In training mode"""
    tokenizer: TextTokenizer
    """Cuts at the training length"""
    base: Checkpoint
    """What the encoder came from; its tokenizer goes into the bundle"""
    start: TextEncoder
    """A frozen copy of the encoder as it was before training"""

    @property
    def model(self) -> MCSE:
        """Encoder and heads; the part that is evaluated and exported."""
        return self.trained.mcse


def build_trainee(config: TrainConfig, *, image_width: int | None, device: torch.device) -> Trainee:
    """Open the base encoder and put new heads on it, their weights drawn from the seed.

    Args:
        config: base, pooling, heads and dropout.
        image_width: width of the image features; None trains without images.
        device: where it computes.

    Raises:
        CheckpointError: the base cannot be opened.
        ConfigError: the base cannot do what is asked.
    """
    torch.manual_seed(config.run.seed)
    settings = config.model
    # An encoder knows nothing of an MLP head that training has yet to make.
    base = load(settings.base, pooling="cls" if settings.pooling == "cls_mlp" else settings.pooling)
    tokenizer = TextTokenizer.from_directory(base.path, max_tokens=min(config.data.max_tokens, base.max_tokens))
    start = base.model.encoder.to(device)
    model = _with_heads(copy.deepcopy(start), config, image_width)
    if settings.dropout is not None:
        _set_dropout(model.encoder, settings.dropout)
    if config.run.gradient_checkpointing:
        model.encoder.backbone.activation_checkpointing_enable({"use_reentrant": False})
    trained = Trained(model, _mlm_head(base, tokenizer) if config.objective.mlm_weight > 0 else None)
    trained.to(device).train().requires_grad_(requires_grad=True)
    return Trainee(trained, tokenizer, base, start)


def _with_heads(encoder: TextEncoder, config: TrainConfig, image_width: int | None) -> MCSE:
    """The MLP comes first, so that runs with and without images draw the same one from a seed."""
    settings, width = config.model, encoder.config.dimension
    mlp = MLPHead(width) if settings.mlp_head else None
    if settings.pooling == "cls_mlp":
        kept = dataclasses.replace(encoder.config, pooling="cls_mlp")
        encoder, mlp = TextEncoder(encoder.backbone, kept, head=mlp), None
    if image_width is None:
        return MCSE(encoder, mlp=mlp)
    return MCSE(
        encoder,
        mlp=mlp,
        grounding=GroundingProjection(width, settings.projection),
        image=ImageProjection(image_width, settings.projection, settings.image_dropout),
    )


def _mlm_head(base: Checkpoint, tokenizer: TextTokenizer) -> MLMHead:
    if tokenizer.mask_id is None:
        raise ConfigError("objective.mlm_weight is above 0, but the tokenizer of model.base has no mask token")
    pretrained = read_mlm_head(base.path)
    if pretrained is not None:
        return MLMHead.of_weights(pretrained)
    vocabulary, width = word_embeddings(base.model.encoder.backbone).shape
    return MLMHead(width, vocabulary)


def _set_dropout(encoder: TextEncoder, probability: float) -> None:
    """Every dropout of the backbone, that of the attention probabilities too."""
    for module in encoder.backbone.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        elif isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", probability)  # noqa: B010  (a plain number, unknown to the type)
