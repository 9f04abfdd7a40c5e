from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.tasks import TRANSFER_TASKS
from training.evaluation.transfer import score_task

GOOD, BAD = ("good", "fine", "great"), ("bad", "poor", "awful")
KINDS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
WORDS = (*GOOD, *BAD, *KINDS)


def counts(sentences: Sequence[str]) -> NDArray[np.float32]:
    """A sentence becomes the counts of its known words."""
    return np.array([[sentence.split().count(word) for word in WORDS] for sentence in sentences], dtype=np.float32)


@pytest.mark.parametrize("name", [name for name in TRANSFER_TASKS if name != "MRPC"])
def test_a_task_that_one_word_solves_is_solved(transfer: Path, name: str) -> None:
    assert score_task(name, transfer, counts) == {name: 100}


def test_mrpc_compares_the_two_sentences_and_tells_f1(transfer: Path) -> None:
    # Of ten pairs, six are predicted as paraphrases and are; of the four others, one is labelled as a paraphrase.
    expected = {"MRPC": 90, "MRPC-F1": 100 * 2 * 6 / (2 * 6 + 1)}
    assert score_task("MRPC", transfer, counts) == pytest.approx(expected)


def test_each_distinct_sentence_of_a_task_is_encoded_once(transfer: Path) -> None:
    asked: list[str] = []

    def encode(sentences: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(sentences)
        return counts(sentences)

    score_task("SST2", transfer, encode)
    assert len(asked) == len(set(asked)) == 48
