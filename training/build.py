"""Make the model, its optimizer and its learning rate from the configuration."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from models import Checkpoint, TextTokenizer, load
from models.encoder import TextEncoder
from models.heads import GroundingProjection, ImageProjection, MLPHead
from models.mcse import MCSE
from training.config import ModelConfig, OptimizerConfig
from training.schedule import linear_decay


@dataclass(frozen=True, slots=True)
class Trainee:
    """What a run trains."""

    model: MCSE
    """In training mode, on the GPU where there is one."""
    tokenizer: TextTokenizer
    """Cuts at the training length."""
    base: Checkpoint
    """What the encoder came from; its tokenizer goes into the bundle."""
    start: TextEncoder
    """A frozen copy of the encoder as it was before training."""


def build_trainee(config: ModelConfig, *, max_tokens: int, image_width: int | None) -> Trainee:
    """Open the base encoder and put new heads on it.

    Args:
        config: base, pooling and heads.
        max_tokens: longest training input.
        image_width: width of the image features; None trains without images.

    Raises:
        CheckpointError: the base cannot be opened.
    """
    base = load(config.base, pooling=config.pooling)
    width = base.dimension
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = MCSE(
        copy.deepcopy(base.model.encoder),
        mlp=MLPHead(width) if config.mlp_head else None,
        grounding=GroundingProjection(width, config.projection) if image_width is not None else None,
        image=ImageProjection(image_width, config.projection, config.image_dropout)
        if image_width is not None
        else None,
    )
    return Trainee(
        model=model.to(device).train().requires_grad_(requires_grad=True),
        tokenizer=TextTokenizer.from_directory(base.path, max_tokens=max_tokens),
        base=base,
        start=base.model.encoder.to(device),
    )


def build_optimizer(model: MCSE, config: OptimizerConfig, total_steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW over two groups, encoder and heads, and the linear decay of both rates to 0."""
    heads = [tensor for name, tensor in model.named_parameters() if not name.startswith("encoder.")]
    groups: list[dict[str, Any]] = [{"params": list(model.encoder.parameters()), "lr": config.learning_rate}]
    if heads:
        groups.append({"params": heads, "lr": config.head_learning_rate or config.learning_rate})
    optimizer = AdamW(groups, eps=config.epsilon, weight_decay=config.weight_decay, fused=True)
    warmups = (config.warmup_steps, 0)
    decays: list[Callable[[int], float]] = [
        partial(linear_decay, warmup=warmup, total=total_steps) for warmup in warmups
    ]
    return optimizer, LambdaLR(optimizer, decays[: len(groups)])
