"""The checkpoint that ships: it verifies, it is small, and three worlds read the same vectors from it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from models import Checkpoint, Embedder, ReferenceRuntime, load
from models.verify import verify

PATH = Path(__file__).parents[2] / "models" / "checkpoints" / "mcse-minilm-l6"
SHORT_SETS = ("STS13", "STS16", "STSB")  # the smallest; TEST_SCORES=all takes all seven
TEXTS = [
    "A young girl is washing her teddy bear in the kitchen sink.",
    "Stocks fell.",
    "The quick brown fox jumps over the lazy dog, and then it rests for a long while in the shade of an old tree.",
    "Über den Wolken — naïve café №5 😀",
    "word " * 300,
]


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load(PATH)


def test_it_is_a_whole_bundle_with_all_heads(shipped: Checkpoint) -> None:
    assert (shipped.kind, shipped.pooling, shipped.dimension) == ("bundle", "mean", 384)
    assert shipped.grounded_dimension == 256
    assert shipped.model.image is not None
    found = verify(shipped)
    assert found.same > found.other + 0.3


def test_it_takes_at_most_50_megabytes() -> None:
    assert sum(path.stat().st_size for path in PATH.rglob("*") if path.is_file()) <= 50_000_000


def test_its_card_holds_the_scores_that_were_asked_of_it(shipped: Checkpoint) -> None:
    scores = shipped.card["scores"]
    assert scores["sts_average"] >= 78.9
    assert scores["retrieval"]["recall@10"] >= 62
    readme = (PATH / "README.md").read_text()
    for value in (*scores["sts"].values(), *scores["retrieval"].values()):
        assert f"{value:.2f}" in readme


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::models.TruncationWarning")
def test_its_scores_are_what_its_weights_give(shipped: Checkpoint, data: Path) -> None:
    from training.evaluation.evaluator import Evaluator

    served = Embedder(PATH, precision="float32", threads=1)

    class AsServed(Evaluator):
        """Encodes as the service does, which takes half the time."""

        def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
            return served.encode(sentences, normalize=False)

    evaluator, recorded = AsServed(shipped.model, shipped.tokenizer, data), shipped.card["scores"]
    sets = recorded["sts"] if os.environ.get("TEST_SCORES") == "all" else SHORT_SETS
    assert {name: evaluator.sts(name) for name in sets} == {
        name: pytest.approx(recorded["sts"][name], abs=0.05) for name in sets
    }
    found = evaluator.all(tasks=["retrieval"]).retrieval
    assert {name: found[name] for name in recorded["retrieval"]} == pytest.approx(recorded["retrieval"], abs=0.05)


def test_it_was_trained_with_the_committed_config(shipped: Checkpoint) -> None:
    """What it was trained before a setting existed has that setting's default."""
    from training.config import load_config, parse_config

    config = load_config(PATH.parents[2] / "configs" / "mcse_minilm_l6.toml").to_dict()
    defaults = parse_config(
        {"model": {"base": "x"}, "data": {"captions": "c", "features": "f"}}, source="defaults"
    ).to_dict()
    recorded = shipped.card["training"]["config"]
    assert recorded.keys() <= config.keys()
    for table, settings in config.items():
        for name, value in settings.items():
            assert value == recorded.get(table, {}).get(name, defaults[table][name]), f"{table}.{name}"


def test_sentence_transformers_gives_the_same_vectors(shipped: Checkpoint) -> None:
    ours = ReferenceRuntime(shipped).encode([t.ids for t in shipped.tokenizer.encode(TEXTS)])
    peer = SentenceTransformer(str(PATH), device="cpu")
    np.testing.assert_allclose(peer.encode(TEXTS), ours, atol=1e-5)
    unit = ours / np.linalg.norm(ours, axis=1, keepdims=True)
    np.testing.assert_allclose(peer.encode(TEXTS, normalize_embeddings=True), unit, atol=1e-6)
