"""Directories that sentence-transformers wrote, with modules of more kinds than Pooling."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Pooling,
    Transformer,
    WeightedLayerPooling,
)

from models import CheckpointError, ReferenceRuntime, load
from models import config as poolings
from models.bundle import save_bundle
from tests.conftest import WIDTH, write_tokenizer
from tests.models.conftest import LAYERS, pooled_model

TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people"]


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A plain encoder of four layers."""
    directory = tmp_path / "deep"
    pooled_model("cls").encoder.backbone.save_pretrained(directory)
    write_tokenizer(directory)
    return directory


def saved(target: Path, base: Path, *modules: torch.nn.Module, layers: bool = False) -> SentenceTransformer:
    settings = {"output_hidden_states": True} if layers else {}
    transformer = Transformer(str(base), config_kwargs=settings)
    model = SentenceTransformer(modules=[transformer, *modules], device="cpu")
    model.save(str(target))
    return model


def vectors(path: Path) -> np.ndarray:
    checkpoint = load(path)
    return ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(TEXTS)])


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_dense_module_after_cls_is_the_mlp_head(tmp_path: Path, deep: Path) -> None:
    peer = saved(tmp_path / "st", deep, Pooling(WIDTH, "cls"), Dense(WIDTH, WIDTH))
    checkpoint = load(tmp_path / "st")
    assert (checkpoint.kind, checkpoint.pooling) == ("sentence-transformers", "cls_mlp")
    assert checkpoint.pooling_reason == "1_Pooling/config.json and 2_Dense say so"
    np.testing.assert_allclose(vectors(tmp_path / "st"), peer.encode(TEXTS), atol=1e-6)


def test_the_head_is_at_hand_when_another_pooling_is_asked_for(tmp_path: Path, deep: Path) -> None:
    saved(tmp_path / "st", deep, Pooling(WIDTH, "cls"), Dense(WIDTH, WIDTH), Normalize())
    model = load(tmp_path / "st", pooling="cls").model
    assert model.mlp is not None
    assert model.encoder.head is None


@pytest.mark.parametrize(
    ("pooling", "start", "weights"),
    [("first_last", 0, [0, 3, 0, 0, 3]), ("first_last", 1, [1, 0, 0, 1]), ("top2", 3, [1, 1])],
)
def test_averaged_layers_are_known_by_their_weights(
    tmp_path: Path, deep: Path, pooling: poolings.Pooling, start: int, weights: list[float]
) -> None:
    average = WeightedLayerPooling(WIDTH, LAYERS, start, torch.nn.Parameter(torch.tensor(weights).float()))
    peer = saved(tmp_path / "st", deep, average, Pooling(WIDTH, "mean"), layers=True)
    checkpoint = load(tmp_path / "st")
    assert checkpoint.pooling == pooling
    assert checkpoint.pooling_reason == "1_WeightedLayerPooling and 2_Pooling/config.json say so"
    np.testing.assert_allclose(vectors(tmp_path / "st"), peer.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("pooling", poolings.POOLINGS)
def test_a_bundle_that_sentence_transformers_saved_again_keeps_its_vectors(
    tmp_path: Path, tiny_base: Path, pooling: poolings.Pooling
) -> None:
    save_bundle(tmp_path / "b", pooled_model(pooling), tokenizer_from=tiny_base, card={}, readme="")
    SentenceTransformer(str(tmp_path / "b"), device="cpu").save(str(tmp_path / "again"))
    checkpoint = load(tmp_path / "again")
    assert (checkpoint.kind, checkpoint.pooling) == ("sentence-transformers", pooling)
    np.testing.assert_allclose(vectors(tmp_path / "again"), vectors(tmp_path / "b"), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activation_function": "torch.nn.modules.linear.Identity"}, "activation_function"),
        ({"out_features": 8}, "out_features"),
        ({"bias": False}, "bias"),
        ({"use_residual": True}, "use_residual"),
        ({"module_input_name": "token_embeddings"}, "module_input_name"),
    ],
)
def test_a_dense_module_that_is_no_mlp_head_is_refused(
    tmp_path: Path, deep: Path, changes: dict[str, Any], named: str
) -> None:
    saved(tmp_path / "st", deep, Pooling(WIDTH, "cls"), Dense(WIDTH, WIDTH))
    rewrite(tmp_path / "st" / "2_Dense" / "config.json", **changes)
    with pytest.raises(CheckpointError, match=rf"2_Dense/config\.json: its {named} is .* is expected"):
        load(tmp_path / "st")


def test_dense_after_mean_and_averaged_layers_before_cls_are_refused(tmp_path: Path, deep: Path) -> None:
    average = WeightedLayerPooling(WIDTH, LAYERS, LAYERS - 1)
    saved(tmp_path / "mean", deep, Pooling(WIDTH, "mean"), Dense(WIDTH, WIDTH))
    saved(tmp_path / "cls", deep, average, Pooling(WIDTH, "cls"), layers=True)
    saved(tmp_path / "both", deep, average, Pooling(WIDTH, "mean"), Dense(WIDTH, WIDTH), layers=True)
    for name in ("mean", "cls", "both"):
        with pytest.raises(CheckpointError, match="computes Dense after cls, and WeightedLayerPooling before mean"):
            load(tmp_path / name)


def test_modules_in_another_order_or_twice_are_refused(tmp_path: Path, deep: Path) -> None:
    saved(tmp_path / "order", deep, Pooling(WIDTH, "cls"), Normalize(), Dense(WIDTH, WIDTH))
    saved(tmp_path / "twice", deep, Pooling(WIDTH, "cls"), Dense(WIDTH, WIDTH), Dense(WIDTH, WIDTH))
    for name in ("order", "twice"):
        with pytest.raises(CheckpointError, match=r"its modules are Transformer, Pooling, .*Dense; this project opens"):
            load(tmp_path / name)


def test_layers_that_we_do_not_average_are_refused(tmp_path: Path, deep: Path) -> None:
    saved(tmp_path / "st", deep, WeightedLayerPooling(WIDTH, LAYERS, 1), Pooling(WIDTH, "mean"), layers=True)
    with pytest.raises(CheckpointError, match="1_WeightedLayerPooling: its layer_weights are of other layers"):
        load(tmp_path / "st")


def test_an_average_that_sentence_transformers_would_pass_over_is_refused(tmp_path: Path, deep: Path) -> None:
    average = WeightedLayerPooling(WIDTH, LAYERS, LAYERS - 1)
    saved(tmp_path / "st", deep, average, Pooling(WIDTH, "mean"), layers=True)
    rewrite(tmp_path / "st" / "config.json", output_hidden_states=False)
    with pytest.raises(CheckpointError, match="output_hidden_states is not true"):
        load(tmp_path / "st")


def test_an_average_without_its_weights_or_settings_is_refused(tmp_path: Path, deep: Path) -> None:
    average = WeightedLayerPooling(WIDTH, LAYERS, LAYERS - 1)
    saved(tmp_path / "st", deep, average, Pooling(WIDTH, "mean"), layers=True)
    folder = tmp_path / "st" / "1_WeightedLayerPooling"
    rewrite(folder / "config.json", layer_start=None)
    with pytest.raises(CheckpointError, match="layer_start, num_hidden_layers or layer_weights is missing"):
        load(tmp_path / "st")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="1_WeightedLayerPooling: no model"):
        load(tmp_path / "st")


def test_a_head_without_its_weights_or_of_another_width_is_refused(tmp_path: Path, deep: Path) -> None:
    saved(tmp_path / "st", deep, Pooling(WIDTH, "cls"), Dense(WIDTH, WIDTH))
    path = tmp_path / "st" / "2_Dense" / "model.safetensors"
    weights = load_file(path)
    save_file({"linear.weight": torch.ones(8, 8), "linear.bias": torch.ones(8)}, path)
    with pytest.raises(CheckpointError, match="its MLP head is 8 wide and its encoder 32"):
        load(tmp_path / "st")
    save_file({"linear.weight": weights["linear.weight"]}, path)
    with pytest.raises(CheckpointError, match=r"2_Dense: its weights are not linear\.weight and linear\.bias"):
        load(tmp_path / "st")
    path.unlink()
    with pytest.raises(CheckpointError, match="2_Dense: no model"):
        load(tmp_path / "st")


def test_prompts_that_do_not_count_in_the_mean_are_refused(tmp_path: Path, deep: Path) -> None:
    peer = SentenceTransformer(modules=[Transformer(str(deep)), Pooling(WIDTH, "mean")], device="cpu")
    peer.prompts = {"query": "the dog "}
    peer.save(str(tmp_path / "st"))
    checkpoint = load(tmp_path / "st")
    prompted = [checkpoint.prompts["query"] + text for text in TEXTS]
    ours = ReferenceRuntime(checkpoint).encode([each.ids for each in checkpoint.tokenizer.encode(prompted)])
    np.testing.assert_allclose(ours, peer.encode(TEXTS, prompt_name="query"), atol=1e-6)
    rewrite(tmp_path / "st" / "1_Pooling" / "config.json", include_prompt=False)
    with pytest.raises(CheckpointError, match="include_prompt is false"):
        load(tmp_path / "st")
    rewrite(tmp_path / "st" / "config_sentence_transformers.json", prompts={"query": ""})
    load(tmp_path / "st")
