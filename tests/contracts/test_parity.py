"""The vectors that leave over HTTP are those of the trained model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from models import ReferenceRuntime, TextTokenizer, load
from models.bundle import Precision, save_bundle
from models.config import POOLINGS, Pooling
from models.encoder import collate
from service.model import open_model
from service.settings import Settings
from tests.models.conftest import MAX_TOKENS, pooled_model
from tests.service.conftest import served as serve
from training.evaluation.evaluator import Evaluator
from training.evaluation.sts import read_set, spearman
from training.export import round_to_half

SHIPPED = Path(__file__).parents[2] / "models" / "checkpoints" / "mcse-minilm-l6"
ENDINGS = ("in the park near the old river bridge", "today", "because it had been raining for weeks")
TEXTS = [
    f"{who} {does} {ending}."
    for who in ("A dog", "The committee", "Nobody")
    for does in ("runs", "waited", "sings")
    for ending in ENDINGS
]

WORDED = ["a dog runs", "the big red dog plays with the ball in the snow", "two people", "the green car " * 12]
"""Of the words that the tiny tokenizer knows; the last is cut."""


def over_http(client: httpx.Client, texts: Sequence[str], *, normalize: bool = True) -> np.ndarray:
    rows: list[list[float]] = []
    for start in range(0, len(texts), 100):
        body = {"inputs": list(texts[start : start + 100]), "normalize": normalize}
        answer = client.post("/embed", json=body)
        assert answer.status_code == 200, answer.text
        rows += answer.json()
    return np.array(rows, dtype=np.float32)


@contextmanager
def running(settings: Settings) -> Iterator[httpx.Client]:
    """The service with the checkpoint that the settings name, which ask for float32."""
    with serve(settings, *open_model(settings)) as client:
        yield client


@torch.no_grad()
def by_transformers(bundle: Path, pooling: Pooling) -> np.ndarray:
    """With nothing of ours: as docs/checkpoints.md says."""
    tokenizer = AutoTokenizer.from_pretrained(bundle)
    batch = tokenizer(WORDED, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    output = AutoModel.from_pretrained(bundle).eval()(**batch, output_hidden_states=True)
    layers, mask = output.hidden_states, batch["attention_mask"].unsqueeze(-1)
    if pooling == "cls_mlp":
        return np.asarray(output.pooler_output)
    if pooling == "cls":
        return np.asarray(output.last_hidden_state[:, 0])
    tokens = {
        "mean": output.last_hidden_state,
        "first_last": (layers[1] + layers[-1]) / 2,
        "top2": (layers[-2] + layers[-1]) / 2,
    }[pooling]
    return np.asarray((tokens * mask).sum(dim=1) / mask.sum(dim=1))


@pytest.mark.parametrize("normalize", [True, False])
def test_they_equal_those_of_sentence_transformers_and_of_the_training_code(
    exact_server: httpx.Client, normalize: bool
) -> None:
    served = over_http(exact_server, TEXTS, normalize=normalize)
    peer = SentenceTransformer(str(SHIPPED), device="cpu").encode(TEXTS, normalize_embeddings=normalize)
    np.testing.assert_allclose(served, peer, atol=1e-5)
    checkpoint = load(SHIPPED)
    trained = Evaluator(checkpoint.model, checkpoint.tokenizer, Path()).encode(TEXTS)
    if normalize:
        trained /= np.linalg.norm(trained, axis=1, keepdims=True)
    np.testing.assert_allclose(served, trained, atol=1e-5)


def test_the_grounded_space_is_the_grounding_heads(exact_server: httpx.Client) -> None:
    answer = exact_server.post("/embed", json={"inputs": TEXTS, "space": "grounded"})
    checkpoint = load(SHIPPED)
    trained = Evaluator(checkpoint.model, checkpoint.tokenizer, Path()).encode(TEXTS)
    assert checkpoint.model.grounding is not None
    expected = checkpoint.model.grounding(torch.from_numpy(trained)).numpy()
    np.testing.assert_allclose(np.array(answer.json()), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_checkpoint_of_any_pooling_gives_the_same_vectors_in_every_world(
    tmp_path: Path, tiny_base: Path, pooling: Pooling, precision: Precision
) -> None:
    """Pitfall 16: first_last is the same two layers in all of them."""
    model, bundle = pooled_model(pooling), tmp_path / "bundle"
    if precision == "float16":
        round_to_half(model)
    tokenizer = TextTokenizer.from_directory(tiny_base, max_tokens=model.encoder.config.max_tokens)
    trained = Evaluator(model, tokenizer, Path()).encode(WORDED)
    save_bundle(bundle, model, tokenizer_from=tiny_base, card={}, readme="", precision=precision)
    peer = SentenceTransformer(str(bundle), device="cpu").encode(WORDED)
    np.testing.assert_allclose(peer, trained, atol=1e-5)
    np.testing.assert_allclose(by_transformers(bundle, pooling), trained, atol=1e-5)
    with running(Settings(data_dir=tmp_path, model=str(bundle), threads=1, precision="float32")) as client:
        assert client.get("/info").json()["model"]["pooling"] == pooling
        np.testing.assert_allclose(over_http(client, WORDED, normalize=False), trained, atol=1e-5)
    checkpoint = load(bundle)
    with torch.no_grad():
        opened = checkpoint.model(collate([t.ids for t in tokenizer.encode(WORDED)], tokenizer.pad_id)).sentence
    np.testing.assert_allclose(opened.numpy(), trained, atol=1e-5)
    runtime = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(WORDED)])
    np.testing.assert_allclose(runtime, trained, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_service_reads_a_checkpoint_with_the_pooling_it_is_told(
    tmp_path: Path, tiny_base: Path, pooling: Pooling
) -> None:
    save_bundle(tmp_path / "mean", pooled_model("mean"), tokenizer_from=tiny_base, card={}, readme="")
    trained = Evaluator(pooled_model(pooling), load(tmp_path / "mean").tokenizer, Path()).encode(WORDED)
    with running(
        Settings(data_dir=tmp_path, model=str(tmp_path / "mean"), pooling=pooling, threads=1, precision="float32")
    ) as client:
        np.testing.assert_allclose(over_http(client, WORDED, normalize=False), trained, atol=1e-5)


@pytest.mark.data
@pytest.mark.slow
def test_sts_benchmark_over_http_scores_what_evaluation_says(shipped_server: httpx.Client, data: Path) -> None:
    served = spearman(lambda texts: over_http(shipped_server, texts), read_set("STSB", data))
    assert served == pytest.approx(load(SHIPPED).card["scores"]["sts"]["STSB"], abs=0.01)
