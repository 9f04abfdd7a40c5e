from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.encoder import collate
from models.mcse import MCSEOutput
from training.build import Trainee, build_trainee
from training.data.corpus import Batch
from training.objective.losses import grounding_loss, hard_negative_loss, simcse_loss
from training.objective.objective import Objective

SENTENCES = ["a red dog", "a small cat sits on the big green car in the street", "the man runs", "snow"]
OTHERS = ["the dog is red", "cat on a car", "a man plays", "the snow in the street"]
NEGATIVES = ["a blue dog", "a car", "the man sits", "grass"]
FEATURES = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)

Make = Callable[..., Objective]
Batches = Callable[..., Batch]


def by_hand(trainee: Trainee, batch: Batch, column: int = 0) -> MCSEOutput:
    output: MCSEOutput = trainee.model(collate([row.tolist() for row in batch.columns[column]], 0))
    return output


def test_a_text_batch_costs_the_simcse_loss_of_two_views_through_the_mlp(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    """Pitfall 25: views differ by dropout alone; no word is cropped, deleted or replaced."""
    trainee.model.eval()  # without dropout both views are equal, and the loss can be made by hand
    batch = batch_of(SENTENCES)
    parts = objective().backward(batch, 0)
    projected = by_hand(trainee, batch).projected
    assert parts["loss"] == pytest.approx(simcse_loss(projected, projected, 0.05).item(), abs=1e-6)
    assert set(parts) == {"loss", "text"}


def test_a_caption_batch_adds_the_weighted_grounding_loss_of_the_raw_vector(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    trainee.model.eval()
    batch = batch_of(SENTENCES, features=FEATURES)
    parts = objective(grounding_weight=0.3).backward(batch, 0)
    output = by_hand(trainee, batch)
    assert trainee.model.grounding is not None
    grounded = trainee.model.grounding(output.sentence)  # not of the MLP's output
    grounding = grounding_loss(grounded, grounded, trainee.model.project_images(torch.from_numpy(FEATURES)), 0.05)
    text = simcse_loss(output.projected, output.projected, 0.05)
    assert parts["loss"] == pytest.approx((text + 0.3 * grounding).item(), abs=1e-5)


def test_supervised_pairs_contrast_a_sentence_with_its_positive(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    trainee.model.eval()
    batch = batch_of(SENTENCES, OTHERS)
    first, second = (by_hand(trainee, batch, column).projected for column in range(2))
    expected = simcse_loss(first, second, 0.05).item()
    assert objective().backward(batch, 0)["loss"] == pytest.approx(expected, abs=1e-5)


def test_hard_negatives_of_a_third_column_join_the_candidates(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    trainee.model.eval()
    batch = batch_of(SENTENCES, OTHERS, NEGATIVES)
    first, second, third = (by_hand(trainee, batch, column).projected for column in range(3))
    expected = hard_negative_loss(first, second, third, 0.05, 2.0).item()
    assert objective(hard_negative_weight=2.0).backward(batch, 0)["loss"] == pytest.approx(expected, abs=1e-5)


def test_the_two_views_are_independent_dropout_samples(trainee: Trainee, objective: Make, batch_of: Batches) -> None:
    """Pitfall 22: the same mask on both views would cost next to nothing, as without dropout."""
    batch = batch_of(SENTENCES * 4)
    training = objective().backward(batch, 0)["text"]
    trainee.model.eval()
    assert objective().backward(batch, 0)["text"] < training


def test_dropout_is_another_one_for_another_seed_and_the_same_for_the_same(objective: Make, batch_of: Batches) -> None:
    losses = [objective().backward(batch_of(SENTENCES), seed)["loss"] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_an_arm_without_images_draws_the_same_dropout(objective: Make, batch_of: Batches) -> None:
    """Pitfall 10: the matched baseline differs by the images alone."""
    with_images = objective().backward(batch_of(SENTENCES, features=FEATURES), 3)
    without = objective().backward(batch_of(SENTENCES), 3)
    assert with_images["text"] == without["text"]


def test_rows_keep_their_order_over_groups_of_length(trainee: Trainee, objective: Make, batch_of: Batches) -> None:
    trainee.model.eval()
    many = [" ".join(["dog", "cat", "ball"][i % 3] for i in range(n % 13 + 1)) for n in range(80)]
    features = np.random.default_rng(1).normal(size=(80, 12)).astype(np.float32)
    batch = batch_of(many, features=features)
    grounded = by_hand(trainee, batch).grounded
    assert grounded is not None
    expected = grounding_loss(grounded, grounded, trainee.model.project_images(torch.from_numpy(features)), 0.05)
    assert objective().backward(batch, 0)["grounding"] == pytest.approx(expected.item(), abs=1e-5)


def test_the_anchor_is_0_at_the_start_and_grows_as_the_encoder_moves(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    trainee.model.eval()
    anchored, batch = objective(anchor_weight=2.0), batch_of(SENTENCES)
    assert anchored.backward(batch, 0)["anchor"] == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        weight = next(trainee.model.encoder.parameters())
        weight.add_(torch.randn_like(weight))
    moved = anchored.backward(batch, 0)
    assert moved["anchor"] > 1e-4
    assert moved["loss"] == pytest.approx(moved["text"] + 2 * moved["anchor"], abs=1e-5)


def test_gradients_reach_the_encoder_and_every_head_but_not_the_start(
    trainee: Trainee, objective: Make, batch_of: Batches
) -> None:
    objective().backward(batch_of(SENTENCES, features=FEATURES), 0)
    for name, parameter in trainee.model.named_parameters():
        assert parameter.grad is not None, name
    assert all(parameter.grad is None for parameter in trainee.start.parameters())


def test_bfloat16_is_close_to_float32(trainee: Trainee, objective: Make, batch_of: Batches) -> None:
    trainee.model.eval()
    batch = batch_of(SENTENCES, features=FEATURES)
    exact, rough = (objective(bfloat16=bf16).backward(batch, 0)["loss"] for bf16 in (False, True))
    assert rough == pytest.approx(exact, rel=0.05)
    assert rough != exact


@pytest.mark.parametrize("columns", [(SENTENCES,), (SENTENCES, OTHERS), (SENTENCES, OTHERS, NEGATIVES)])
def test_the_masked_lm_loss_is_about_the_logarithm_of_the_vocabulary_at_first(
    config: Callable[..., object], batch_of: Batches, objective: Make, columns: tuple[list[str], ...]
) -> None:
    made = build_trainee(
        config(objective={"mlm_weight": 0.1}),  # type: ignore[arg-type]
        image_width=None,
        device=torch.device("cpu"),
    )
    assert made.trained.mlm is not None
    plain = objective()
    chosen = Objective(
        plain.model, plain.tokenizer, plain.config, plain.encoder, plain.processes, None, made.trained.mlm
    )
    parts = chosen.backward(batch_of(*[column * 8 for column in columns]), 0)
    assert parts["mlm"] == pytest.approx(np.log(made.tokenizer.vocabulary_size), rel=0.2)
    assert all(parameter.grad is not None for parameter in made.trained.mlm.parameters())
