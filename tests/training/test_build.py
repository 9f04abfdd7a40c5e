"""What the settings of a run make of the base encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from training.build import Trainee, build_trainee
from training.config import parse_config

Build = Callable[..., Trainee]


@pytest.fixture
def build(tiny_base: Path) -> Build:
    def make(*, image_width: int | None = 12, **tables: dict[str, Any]) -> Trainee:
        made: dict[str, dict[str, Any]] = {
            "model": {"base": str(tiny_base), "projection": 8},
            "data": {"text": "t", "captions": "c", "features": "f"},
        }
        for table, settings in tables.items():
            made.setdefault(table, {}).update(settings)
        config = parse_config(made, source="test")
        return build_trainee(config, image_width=image_width, device=torch.device("cpu"))

    return make


def test_gradient_checkpointing_acts_on_the_backbone_that_is_trained(build: Build) -> None:
    assert not build().model.encoder.backbone.is_activation_checkpointing
    assert build(run={"gradient_checkpointing": True}).model.encoder.backbone.is_activation_checkpointing


def test_dropout_is_the_one_asked_for_in_every_layer(build: Build) -> None:
    def found(trainee: Trainee) -> set[float]:
        return {m.p for m in trainee.model.encoder.backbone.modules() if isinstance(m, nn.Dropout)}

    assert found(build()) == {0.1}
    assert found(build(model={"dropout": 0.3})) == {0.3}


def test_a_run_without_images_draws_the_same_mlp_from_a_seed(build: Build) -> None:
    """Pitfall 10: matched arms start from the same weights."""
    with_images, without = build(), build(image_width=None)
    assert with_images.model.mlp is not None
    assert without.model.mlp is not None
    assert torch.equal(with_images.model.mlp.dense.weight, without.model.mlp.dense.weight)
    assert without.model.grounding is None


def test_the_start_stays_as_it_was_when_the_model_is_trained(build: Build) -> None:
    trainee = build()
    with torch.no_grad():
        for parameter in trainee.model.parameters():
            parameter.add_(1.0)
    trained, start = next(trainee.model.encoder.parameters()), next(trainee.start.parameters())
    assert not torch.equal(trained, start)
    assert not start.requires_grad
