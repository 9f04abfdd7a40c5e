from collections.abc import Callable

import numpy as np
import pytest
import torch

from training.build import Trainee
from training.data.corpus import Batch
from training.objective.encode import derived_seed
from training.objective.objective import Objective

MANY = [" ".join(["dog", "cat", "ball", "car"][(i + n) % 4] for i in range(n % 13 + 1)) for n in range(30)]
FEATURES = np.random.default_rng(1).normal(size=(30, 12)).astype(np.float32)

Make = Callable[..., Objective]


def gradients(trainee: Trainee, objective: Objective, batch: Batch) -> tuple[dict[str, float], list[torch.Tensor]]:
    trainee.trained.zero_grad()
    parts = objective.backward(batch, 5, scale=0.5)
    return parts, [parameter.grad.clone() for parameter in trainee.model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("dropout", [True, False], ids=["dropout", "no dropout"])
def test_cached_gradients_are_those_of_the_whole_batch(
    trainee: Trainee,
    objective: Make,
    batch_of: Callable[..., Batch],
    monkeypatch: pytest.MonkeyPatch,
    dropout: bool,
) -> None:
    """Pitfall 24: batches beyond memory are possible and exact; whether they help is for a sweep to say."""
    trainee.trained.train(dropout)
    monkeypatch.setattr("training.objective.encode._CPU_GROUP", 7)  # groups decide which dropout a row gets
    batch = batch_of(MANY, features=FEATURES)
    settings = {"grounding_weight": 0.5, "anchor_weight": 1.0, "image_to_text": True}
    parts, whole = gradients(trainee, objective(**settings), batch)
    cached_parts, cached = gradients(trainee, objective(chunk_size=7, **settings), batch)
    assert cached_parts == pytest.approx(parts, abs=1e-6)
    assert len(whole) == len(cached) == len(list(trainee.model.parameters()))
    for one, other in zip(whole, cached, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_cached_gradients_need_memory_for_one_chunk_only(
    trainee: Trainee, objective: Make, batch_of: Callable[..., Batch]
) -> None:
    """While a batch is encoded, no row keeps a history for the backward pass."""
    rows = batch_of(MANY).columns[0]
    assert objective().encoder.encode(rows, 0).sentence.grad_fn is not None
    assert objective(chunk_size=4).encoder.encode(rows, 0).sentence.grad_fn is None


def test_seeds_are_their_own_for_each_tuple() -> None:
    seeds = {derived_seed(a, b) for a in range(50) for b in range(50)}
    assert len(seeds) == 2500
    assert derived_seed(1, 2) == derived_seed(1, 2)
    assert max(seeds) < 2**63
