"""A tiny trainee and the batches that its objective is tried on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.build import Trainee, build_trainee
from training.config import ObjectiveConfig, TrainConfig, parse_config
from training.data.corpus import Batch
from training.data.tokens import tokenized
from training.objective.encode import GroupedEncoder
from training.objective.objective import Objective
from training.processes import Processes

Config = Callable[..., TrainConfig]


@pytest.fixture
def config(tiny_base: Path) -> Config:
    """Settings of a tiny run; keyword arguments change its tables."""

    def make(**changes: dict[str, Any]) -> TrainConfig:
        made: dict[str, dict[str, Any]] = {
            "model": {"base": str(tiny_base), "projection": 8},
            "data": {"text": "t", "captions": "c", "features": "f"},
        }
        for table, settings in changes.items():
            made.setdefault(table, {}).update(settings)
        return parse_config(made, source="tiny")

    return make


@pytest.fixture
def trainee(config: Config) -> Trainee:
    """With MLP head and images, in training mode."""
    return build_trainee(config(), image_width=12, device=torch.device("cpu"))


@pytest.fixture
def batch_of(trainee: Trainee) -> Callable[..., Batch]:
    """Tokenize columns of sentences into a batch."""

    def make(*columns: Sequence[str], features: np.ndarray | None = None) -> Batch:
        stores = [tokenized(column, trainee.tokenizer, name="test") for column in columns]
        return Batch(tuple(store.column(np.arange(len(store)), 0) for store in stores), features)

    return make


@pytest.fixture
def objective(trainee: Trainee) -> Callable[..., Objective]:
    """The objective of the trainee; `chunk_size` and `bfloat16` go to the encoder, the rest is its configuration."""

    def make(*, chunk_size: int | None = None, bfloat16: bool = False, **settings: Any) -> Objective:
        chosen = ObjectiveConfig(**settings)
        return Objective(
            model=trainee.model,
            tokenizer=trainee.tokenizer,
            config=chosen,
            encoder=GroupedEncoder(trainee.model, trainee.tokenizer.pad_id, bfloat16, chunk_size),
            processes=Processes(rank=0, world=1, device=torch.device("cpu")),
            start=trainee.start if chosen.anchor_weight > 0 else None,
            mlm=trainee.trained.mlm,
        )

    return make
