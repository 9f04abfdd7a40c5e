"""AdamW with a rate for each part of the network, its decay, and a moving average of the weights."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from training.config import OptimizerConfig
from training.schedule import linear_decay

_ENCODER = "encoder.backbone."
_LAYER = re.compile(r"\.layers?\.(\d+)\.")  # BERT, RoBERTa, MPNet: encoder.layer.3.; ModernBERT: layers.3.

Group = tuple[float, float, int]
"""Peak rate, weight decay, steps of warm-up."""


def build_optimizer(trained: nn.Module, config: OptimizerConfig, total_steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW over groups of parameters that share rate, weight decay and warm-up; all rates decay straight to 0.

    Norms and biases have no weight decay. Heads have no warm-up: it lets them settle before they pull on the encoder.
    """
    groups: dict[Group, list[nn.Parameter]] = defaultdict(list)
    layers = _count_layers(name for name, _ in trained.named_parameters())
    for name, parameter in trained.named_parameters():
        groups[_group_of(name, parameter, config, layers)].append(parameter)
    optimizer = AdamW(
        [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay, _), members in groups.items()],
        eps=config.epsilon,
        fused=True,
    )
    decays: list[Callable[[int], float]] = [
        partial(linear_decay, warmup=warmup, total=total_steps) for _, _, warmup in groups
    ]
    return optimizer, LambdaLR(optimizer, decays)


def _group_of(name: str, parameter: nn.Parameter, config: OptimizerConfig, layers: int) -> Group:
    weight_decay = config.weight_decay if parameter.ndim > 1 else 0.0
    if _ENCODER not in name:
        return config.head_learning_rate or config.learning_rate, weight_decay, 0
    below_top = layers - 1 - _layer_of(name, layers)
    return config.learning_rate * config.layer_decay**below_top, weight_decay, config.warmup_steps


def _count_layers(names: Iterable[str]) -> int:
    return 1 + max((int(found.group(1)) for name in names if (found := _LAYER.search(name))), default=0)


def _layer_of(name: str, layers: int) -> int:
    """From 0; the embeddings are -1, and what stands after the layers belongs to the last."""
    if found := _LAYER.search(name):
        return int(found.group(1))
    return -1 if "embeddings" in name else layers - 1


class MovingAverage:
    """Exponential moving average of all parameters, computed beside the training."""

    def __init__(self, trained: nn.Module, decay: float) -> None:
        self._parameters: list[Tensor] = list(trained.parameters())
        self._decay = decay
        self.weights = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """After each step: average = decay x average + (1 - decay) x weights."""
        torch._foreach_lerp_(self.weights, self._parameters, 1 - self._decay)

    def restore(self, weights: list[Tensor]) -> None:
        """Go on from saved averages."""
        for average, saved in zip(self.weights, weights, strict=True):
            average.copy_(saved)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model hold the averages, and put its own weights back afterwards."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, weights: list[Tensor]) -> None:
        for parameter, weight in zip(self._parameters, weights, strict=True):
            parameter.copy_(weight)
