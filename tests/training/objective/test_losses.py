"""The losses against independent references, and their gradients against finite differences.

`tests/golden/losses.json` was recorded once by a program of its own: plain Python with 50 digits, written from the
papers' formulas, over vectors that a formula makes (`golden_vectors`).
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from training.objective.losses import (
    anchor_loss,
    grounding_loss,
    hard_negative_loss,
    info_nce,
    simcse_loss,
)


def reference_info_nce(anchors: np.ndarray, candidates: np.ndarray, temperature: float) -> float:
    """Written from SimCSE's equation 4, row by row and without matrix algebra."""
    total = 0.0
    for i, anchor in enumerate(anchors):
        scores = [
            float(np.dot(anchor, other) / (np.linalg.norm(anchor) * np.linalg.norm(other))) / temperature
            for other in candidates
        ]
        highest = max(scores)
        log_sum = highest + math.log(sum(math.exp(score - highest) for score in scores))
        total += log_sum - scores[i]
    return total / len(anchors)


@pytest.fixture(params=[0, 1, 2], ids=lambda seed: f"seed {seed}")
def vectors(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(request.param)
    first, second, third = (torch.randn(7, 5, generator=generator, dtype=torch.float64) for _ in range(3))
    return first, second, third


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_the_simcse_loss_is_equation_4(vectors: tuple[Tensor, Tensor, Tensor], temperature: float) -> None:
    first, second, _ = vectors
    ours = simcse_loss(first, second, temperature)
    assert abs(float(ours) - reference_info_nce(first.numpy(), second.numpy(), temperature)) < 1e-6


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_the_grounding_loss_is_the_mean_over_both_views(
    vectors: tuple[Tensor, Tensor, Tensor], temperature: float
) -> None:
    first, second, images = (tensor.numpy() for tensor in vectors)
    one, two = (reference_info_nce(view, images, temperature) for view in (first, second))
    assert abs(float(grounding_loss(*vectors, temperature)) - (one + two) / 2) < 1e-6


def test_the_other_direction_contrasts_images_against_sentences(vectors: tuple[Tensor, Tensor, Tensor]) -> None:
    first, second, images = (tensor.numpy() for tensor in vectors)
    pairs = [(first, images), (second, images), (images, first), (images, second)]
    expected = sum(reference_info_nce(anchors, candidates, 0.05) for anchors, candidates in pairs) / 4
    assert abs(float(grounding_loss(*vectors, 0.05, image_to_text=True)) - expected) < 1e-6


def test_the_anchor_loss_is_the_mean_distance_of_both_views(vectors: tuple[Tensor, Tensor, Tensor]) -> None:
    first, second, start = (tensor.numpy() for tensor in vectors)
    cosines = [
        float(np.dot(view[i], start[i]) / np.linalg.norm(view[i]) / np.linalg.norm(start[i]))
        for view in (first, second)
        for i in range(len(start))
    ]
    assert abs(float(anchor_loss(*vectors)) - (1 - float(np.mean(cosines)))) < 1e-9


def test_gradients_agree_with_finite_differences(vectors: tuple[Tensor, Tensor, Tensor]) -> None:
    inputs = tuple(tensor[:4].clone().requires_grad_() for tensor in vectors)
    assert gradcheck(lambda a, b, _c: simcse_loss(a, b, 0.05), inputs)
    assert gradcheck(lambda a, b, c: grounding_loss(a, b, c, 0.05), inputs)
    assert gradcheck(lambda a, b, c: grounding_loss(a, b, c, 0.05, image_to_text=True), inputs)
    assert gradcheck(anchor_loss, inputs)


def test_identical_rows_that_differ_from_all_others_cost_nothing() -> None:
    assert float(info_nce(torch.eye(4), torch.eye(4), 0.05)) < 1e-7


def test_equal_candidates_cost_the_logarithm_of_the_batch() -> None:
    assert float(info_nce(torch.ones(8, 3), torch.ones(8, 3), 0.05)) == pytest.approx(math.log(8), abs=1e-6)


def test_huge_and_tiny_vectors_stay_finite() -> None:
    assert torch.isfinite(info_nce(torch.full((3, 4), 1e18), torch.full((3, 4), 1e-18), 0.05))


GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "losses.json").read_text())


def golden_vectors(dtype: torch.dtype) -> list[Tensor]:
    row = torch.arange(GOLDEN["rows"], dtype=torch.float64)[:, None]
    column = torch.arange(GOLDEN["width"], dtype=torch.float64)[None, :]
    return [torch.sin(1.7 * row + 0.9 * column * (row + 1) + phase).to(dtype) for phase in GOLDEN["phases"]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("recorded", GOLDEN["losses"], ids=lambda recorded: f"temperature {recorded['temperature']}")
def test_the_recorded_losses_hold(recorded: dict[str, Any], dtype: torch.dtype) -> None:
    """Pitfall 22: the temperature is a setting of each loss; the published lambda is on the mean over both views."""
    first, second, third = golden_vectors(dtype)
    t = recorded["temperature"]
    text, grounding = simcse_loss(first, second, t), grounding_loss(first, second, third, t)
    found = {
        "simcse": text,
        "grounding": grounding,
        "both_directions": grounding_loss(first, second, third, t, image_to_text=True),
        "hard_negative_1": hard_negative_loss(first, second, third, t, 1.0),
        "hard_negative_2.5": hard_negative_loss(first, second, third, t, 2.5),
        "mcse_0.01": text + 0.01 * grounding,
        "mcse_0.05": text + 0.05 * grounding,
    }
    for name, loss in found.items():
        assert loss.item() == pytest.approx(recorded[name], rel=1e-5, abs=1e-5), name


def test_the_recorded_anchor_holds() -> None:
    assert anchor_loss(*golden_vectors(torch.float32)).item() == pytest.approx(GOLDEN["anchor"], abs=1e-5)


def test_hard_negatives_make_the_contrast_harder_and_more_so_with_their_weight() -> None:
    first, second, negative = golden_vectors(torch.float64)
    losses = [hard_negative_loss(first, second, negative, 0.05, weight).item() for weight in (0.5, 1.0, 2.0)]
    assert simcse_loss(first, second, 0.05).item() < losses[0] < losses[1] < losses[2]


def test_gradients_of_hard_negatives_agree_with_finite_differences(vectors: tuple[Tensor, Tensor, Tensor]) -> None:
    inputs = tuple(tensor[:4].clone().requires_grad_() for tensor in vectors)
    assert gradcheck(lambda a, b, c: hard_negative_loss(a, b, c, 0.05, 1.5), inputs)
