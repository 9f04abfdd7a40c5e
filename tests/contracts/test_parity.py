"""The vectors that leave over HTTP are those of the trained model."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from models import load
from training.evaluation.evaluator import Evaluator
from training.evaluation.sts import read_set, spearman

SHIPPED = Path(__file__).parents[2] / "models" / "checkpoints" / "mcse-minilm-l6"
ENDINGS = ("in the park near the old river bridge", "today", "because it had been raining for weeks")
TEXTS = [
    f"{who} {does} {ending}."
    for who in ("A dog", "The committee", "Nobody")
    for does in ("runs", "waited", "sings")
    for ending in ENDINGS
]


def over_http(client: httpx.Client, texts: Sequence[str], *, normalize: bool = True) -> np.ndarray:
    rows: list[list[float]] = []
    for start in range(0, len(texts), 100):
        body = {"inputs": list(texts[start : start + 100]), "normalize": normalize}
        answer = client.post("/embed", json=body)
        assert answer.status_code == 200, answer.text
        rows += answer.json()
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("normalize", [True, False])
def test_they_equal_those_of_sentence_transformers_and_of_the_training_code(
    shipped_server: httpx.Client, normalize: bool
) -> None:
    served = over_http(shipped_server, TEXTS, normalize=normalize)
    peer = SentenceTransformer(str(SHIPPED), device="cpu").encode(TEXTS, normalize_embeddings=normalize)
    np.testing.assert_allclose(served, peer, atol=1e-5)
    checkpoint = load(SHIPPED)
    trained = Evaluator(checkpoint.model, checkpoint.tokenizer, Path()).encode(TEXTS)
    if normalize:
        trained /= np.linalg.norm(trained, axis=1, keepdims=True)
    np.testing.assert_allclose(served, trained, atol=1e-5)


def test_the_grounded_space_is_the_grounding_heads(shipped_server: httpx.Client) -> None:
    import torch

    answer = shipped_server.post("/embed", json={"inputs": TEXTS, "space": "grounded"})
    checkpoint = load(SHIPPED)
    trained = Evaluator(checkpoint.model, checkpoint.tokenizer, Path()).encode(TEXTS)
    assert checkpoint.model.grounding is not None
    expected = checkpoint.model.grounding(torch.from_numpy(trained)).numpy()
    np.testing.assert_allclose(np.array(answer.json()), expected, atol=1e-5)


@pytest.mark.data
@pytest.mark.slow
def test_sts_benchmark_over_http_scores_what_evaluation_says(shipped_server: httpx.Client, data: Path) -> None:
    served = spearman(lambda texts: over_http(shipped_server, texts), read_set("STSB", data))
    assert served == pytest.approx(load(SHIPPED).card["scores"]["sts"]["STSB"], abs=0.01)
