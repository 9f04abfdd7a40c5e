"""What a bundle says to sentence-transformers, read by sentence-transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from models import ReferenceRuntime, load
from models.bundle import Precision, save_bundle
from models.config import POOLINGS, Pooling
from models.sbert_writer import layer_weights
from tests.models.conftest import MAX_TOKENS, pooled_model

TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people", "dog " * 40]
MODULES = {
    "cls": ["Transformer", "Pooling"],
    "cls_mlp": ["Transformer", "Pooling", "Dense"],
    "mean": ["Transformer", "Pooling"],
    "first_last": ["Transformer", "WeightedLayerPooling", "Pooling"],
    "top2": ["Transformer", "WeightedLayerPooling", "Pooling"],
}


@pytest.fixture(scope="module", params=POOLINGS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Named after its pooling."""
    target = tmp_path_factory.mktemp("bundles") / str(request.param)
    save_bundle(target, pooled_model(request.param), tokenizer_from=tiny_base, card={}, readme="")
    return target


def test_sentence_transformers_opens_every_pooling_with_the_same_vectors(bundle: Path) -> None:
    peer = SentenceTransformer(str(bundle), device="cpu")
    assert [type(module).__name__ for module in peer] == MODULES[bundle.name]
    assert peer.max_seq_length == MAX_TOKENS
    checkpoint = load(bundle)
    ours = ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(TEXTS)])
    np.testing.assert_allclose(peer.encode(TEXTS), ours, atol=1e-6)


def test_the_types_of_modules_are_those_that_every_version_reads(bundle: Path) -> None:
    modules = json.loads((bundle / "modules.json").read_text())
    assert [module["type"] for module in modules] == [
        f"sentence_transformers.models.{kind}" for kind in MODULES[bundle.name]
    ]
    assert all((bundle / module["path"] / "config.json").exists() for module in modules)


def test_a_reader_of_1_pooling_alone_does_not_take_averaged_layers_for_mean(bundle: Path) -> None:
    assert (bundle / "1_Pooling").exists() == (bundle.name not in ("first_last", "top2"))


def test_the_backbone_gives_its_layers_unasked_where_they_are_averaged(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    assert config["output_hidden_states"] is (bundle.name in ("first_last", "top2"))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_head_for_sentence_transformers_is_the_one_of_the_bundle(
    tmp_path: Path, tiny_base: Path, precision: Precision
) -> None:
    model = pooled_model("cls_mlp")
    save_bundle(tmp_path / "b", model, tokenizer_from=tiny_base, card={}, readme="", precision=precision)
    dense, heads = (
        load_file(tmp_path / "b" / "2_Dense" / "model.safetensors"),
        load_file(tmp_path / "b" / "heads.safetensors"),
    )
    for part in ("weight", "bias"):
        assert dense[f"linear.{part}"].dtype == getattr(torch, precision)
        assert torch.equal(dense[f"linear.{part}"], heads[f"mlp.dense.{part}"])
    peer = SentenceTransformer(str(tmp_path / "b"), device="cpu")
    assert {tensor.dtype for tensor in peer.state_dict().values() if tensor.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize(
    ("pooling", "layers", "expected"),
    [
        ("first_last", 4, [0, 1, 0, 0, 1]),
        ("top2", 4, [0, 0, 0, 1, 1]),
        ("first_last", 1, [0, 2]),
        ("top2", 1, [1, 1]),
    ],
)
def test_layers_are_weighted_from_the_embeddings_to_the_last(
    pooling: Pooling, layers: int, expected: list[float]
) -> None:
    assert layer_weights(pooling, layers).tolist() == expected
