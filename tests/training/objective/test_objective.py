from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.encoder import collate
from training.build import Trainee, build_trainee
from training.config import ModelConfig, ObjectiveConfig
from training.objective.losses import grounding_loss, simcse_loss
from training.objective.objective import Objective

SENTENCES = ["a red dog", "a small cat sits on the big green car in the street", "the man runs", "snow"]
FEATURES = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)


@pytest.fixture
def trainee(tiny_base: Path) -> Trainee:
    torch.manual_seed(0)
    return build_trainee(ModelConfig(base=str(tiny_base), projection=8), max_tokens=32, image_width=12)


def objective(trainee: Trainee, **settings: Any) -> Objective:
    config = ObjectiveConfig(**settings)
    start = trainee.start if config.anchor_weight else None
    return Objective(trainee.model, trainee.tokenizer, config, start=start)


def test_a_text_batch_costs_the_simcse_loss_of_two_views_through_the_mlp(trainee: Trainee) -> None:
    trainee.model.eval()  # without dropout both views are equal, and the loss can be made by hand
    loss = objective(trainee)(SENTENCES)
    ids = [tokenized.ids for tokenized in trainee.tokenizer.encode(SENTENCES)]
    projected = trainee.model(collate(ids, 0)).projected
    torch.testing.assert_close(loss.total, simcse_loss(projected, projected, 0.05))
    assert loss.grounding is None
    assert loss.anchor is None


def test_a_caption_batch_adds_the_weighted_grounding_loss(trainee: Trainee) -> None:
    trainee.model.eval()
    loss = objective(trainee, grounding_weight=0.3)(SENTENCES, FEATURES)
    ids = [tokenized.ids for tokenized in trainee.tokenizer.encode(SENTENCES)]
    output = trainee.model(collate(ids, 0))
    images = trainee.model.project_images(torch.from_numpy(FEATURES))
    assert output.grounded is not None
    grounding = grounding_loss(output.grounded, output.grounded, images, 0.05)
    torch.testing.assert_close(loss.total, simcse_loss(output.projected, output.projected, 0.05) + 0.3 * grounding)


def test_the_two_views_are_independent_dropout_samples(trainee: Trainee) -> None:
    torch.manual_seed(0)
    training = objective(trainee)(SENTENCES * 4).text.item()
    trainee.model.eval()
    assert objective(trainee)(SENTENCES).text.item() < training


def test_rows_keep_their_order_over_groups_of_length(trainee: Trainee) -> None:
    trainee.model.eval()
    many = [" ".join(["dog", "cat", "ball"][i % 3] for i in range(n % 13 + 1)) for n in range(40)]
    features = np.random.default_rng(1).normal(size=(40, 12)).astype(np.float32)
    ids = [tokenized.ids for tokenized in trainee.tokenizer.encode(many)]
    output = trainee.model(collate(ids, 0))
    images = trainee.model.project_images(torch.from_numpy(features))
    assert output.grounded is not None
    expected = grounding_loss(output.grounded, output.grounded, images, 0.05)
    found = objective(trainee)(many, features).grounding
    assert found is not None
    torch.testing.assert_close(found, expected)


def test_the_anchor_is_0_at_the_start_and_grows_as_the_encoder_moves(trainee: Trainee) -> None:
    trainee.model.eval()
    anchored = objective(trainee, anchor_weight=2.0)
    anchor = anchored(SENTENCES).anchor
    assert anchor is not None
    assert anchor.item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        weight = next(trainee.model.encoder.parameters())
        weight.add_(torch.randn_like(weight))
    moved = anchored(SENTENCES)
    assert moved.anchor is not None
    assert moved.anchor.item() > 1e-4
    torch.testing.assert_close(moved.total, moved.text + 2 * moved.anchor)


def test_gradients_reach_the_encoder_and_every_head_but_not_the_start(trainee: Trainee) -> None:
    objective(trainee)(SENTENCES, FEATURES).total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in trainee.model.named_parameters():
        assert parameter.grad is not None, name
    assert all(parameter.grad is None for parameter in trainee.start.parameters())


def test_bfloat16_is_close_to_float32(trainee: Trainee) -> None:
    trainee.model.eval()
    exact = objective(trainee)(SENTENCES, FEATURES).total
    rough = Objective(trainee.model, trainee.tokenizer, ObjectiveConfig(), bfloat16=True)(SENTENCES, FEATURES).total
    assert rough.item() == pytest.approx(exact.item(), rel=0.05)
