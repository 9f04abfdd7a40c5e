"""The masked-LM head that a pretrained checkpoint may hold, and backbones known by their config alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM, PreTrainedModel, RobertaConfig, RobertaForMaskedLM

from models import CheckpointError
from models.weights import read_mlm_head
from tests.conftest import WIDTH, tiny_config, vocabulary

NAMES = {"dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"}


def bert() -> PreTrainedModel:
    return BertForMaskedLM(tiny_config())


def roberta() -> PreTrainedModel:
    settings = {**tiny_config().to_dict(), "model_type": "roberta", "pad_token_id": 0}
    return RobertaForMaskedLM(RobertaConfig(**settings))


def scores(head: dict[str, torch.Tensor], states: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
    transformed = torch.nn.functional.gelu(states @ head["dense.weight"].T + head["dense.bias"])
    normed = torch.nn.functional.layer_norm(transformed, (WIDTH,), head["norm.weight"], head["norm.bias"], 1e-12)
    return normed @ embeddings.T + head["bias"]


@torch.no_grad()
@pytest.mark.parametrize("make", [bert, roberta])
def test_the_head_gives_the_scores_of_the_pretrained_model(tmp_path: Path, make: Callable[[], PreTrainedModel]) -> None:
    torch.manual_seed(3)
    model = make().eval()
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)  # biases and norms start at 0 and 1
    model.save_pretrained(tmp_path)
    head = read_mlm_head(tmp_path)
    assert head is not None
    assert head.keys() == NAMES
    assert head["bias"].shape == (len(vocabulary()),)
    ids = torch.tensor([[2, 7, 9, 3]])
    states = model.base_model(input_ids=ids).last_hidden_state
    ours = scores(head, states, model.get_input_embeddings().weight)
    torch.testing.assert_close(ours, model(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def test_an_encoder_without_such_a_head_has_none(tiny_base: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    assert read_mlm_head(tiny_base) is None
    assert read_mlm_head(tiny_bundle) is None
    assert read_mlm_head(tmp_path) is None


def test_a_head_that_is_not_whole_is_none(tmp_path: Path) -> None:
    bert().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["cls.predictions.transform.dense.bias"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert read_mlm_head(tmp_path) is None


def test_the_names_of_the_first_bert_files_and_half_precision_are_read(tmp_path: Path) -> None:
    bert().save_pretrained(tmp_path / "new")
    state = load_file(tmp_path / "new" / "model.safetensors")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor.half() for name, tensor in state.items()}
    old = {name.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for name, tensor in old.items()}
    (tmp_path / "old").mkdir()
    torch.save(old, tmp_path / "old" / "pytorch_model.bin")
    head = read_mlm_head(tmp_path / "old")
    assert head is not None
    assert head.keys() == NAMES
    assert {tensor.dtype for tensor in head.values()} == {torch.float32}
    torch.testing.assert_close(
        head["dense.weight"], state["cls.predictions.transform.dense.weight"], rtol=1e-3, atol=1e-3
    )


def test_a_damaged_weights_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        read_mlm_head(tmp_path)
