import numpy as np
import pytest
import torch

from models.config import Pooling
from models.encoder import collate, pool


def test_collate_pads_to_the_longest_and_marks_what_is_padding() -> None:
    batch = collate([[5, 6, 7], [8]], pad_id=9)
    assert batch.ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(("pooling", "expected"), [("cls", [1.0, 2.0]), ("mean", [2.0, 3.0])])
def test_pooling_reads_the_first_token_or_the_mean_without_padding(pooling: Pooling, expected: list[float]) -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    pooled = pool(states, torch.tensor([[1, 1, 0]]), pooling)
    np.testing.assert_allclose(pooled.numpy(), [expected])
