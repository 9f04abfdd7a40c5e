"""The losses against an independent reference in NumPy, and their gradients against finite differences."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from training.objective.losses import anchor_loss, grounding_loss, info_nce, simcse_loss


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
