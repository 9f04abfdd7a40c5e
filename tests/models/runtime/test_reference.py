from pathlib import Path

import numpy as np
import pytest
import torch

from models import ReferenceRuntime, load
from models.config import POOLINGS, Pooling
from models.runtime.reference import encode_sorted
from tests.models.conftest import pooled_model


@pytest.fixture(scope="module")
def runtime(tiny_bundle: Path) -> ReferenceRuntime:
    return ReferenceRuntime(load(tiny_bundle))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_sentence_has_the_same_vector_whatever_its_batch_mates(pooling: Pooling) -> None:
    encoder = pooled_model(pooling).encoder
    random = np.random.default_rng(0)
    batch = [[2, *random.integers(5, 60, random.integers(1, 18)).tolist(), 3] for _ in range(100)]
    together = encode_sorted(encoder, batch, pad_id=0)
    alone = np.concatenate([encode_sorted(encoder, [ids], pad_id=0) for ids in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_call_gives_the_same_bytes(runtime: ReferenceRuntime) -> None:
    batch = [[2, 7, 9, 3], [2, 8, 3]]
    assert runtime.encode(batch).tobytes() == runtime.encode(batch).tobytes()


def test_the_states_of_tokens_are_those_of_the_backbone_whatever_their_batch_mates(tiny_bundle: Path) -> None:
    random = np.random.default_rng(0)
    batch = [[2, *random.integers(5, 60, random.integers(1, 18)).tolist(), 3] for _ in range(70)]
    checkpoint = load(tiny_bundle)
    for ids, states in zip(batch, ReferenceRuntime(checkpoint).states(batch), strict=True):
        with torch.inference_mode():
            alone = checkpoint.model.encoder.backbone(input_ids=torch.tensor([ids])).last_hidden_state[0]
        np.testing.assert_allclose(states, alone.numpy(), atol=1e-5)


def test_grounding_gives_unit_vectors_and_needs_its_head(runtime: ReferenceRuntime, tiny_base: Path) -> None:
    grounded = runtime.ground(runtime.encode([[2, 7, 3], [2, 9, 3]]))
    assert grounded.shape == (2, runtime.grounded_dimension)
    np.testing.assert_allclose(np.linalg.norm(grounded, axis=1), 1, rtol=1e-6)
    with pytest.raises(ValueError, match="no grounding head"):
        ReferenceRuntime(load(tiny_base)).ground(np.zeros((1, 32), dtype=np.float32))
