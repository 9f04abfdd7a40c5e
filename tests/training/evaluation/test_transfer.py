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


@pytest.fixture
def transfer(tmp_path: Path) -> Path:
    """Every task in small, each to be solved by looking at one word."""
    folder = tmp_path / "transfer"
    good = [f"film {number} is {word}" for number in range(8) for word in GOOD]
    bad = [f"film {number} is {word}" for number in range(8) for word in BAD]
    names = {"MR": "rt-polarity.pos rt-polarity.neg", "CR": "custrev.pos custrev.neg", "MPQA": "mpqa.pos mpqa.neg"}
    for name, files in {**names, "SUBJ": "subj.objective subj.subjective"}.items():
        (folder / name).mkdir(parents=True)
        for file, lines in zip(files.split(), (good, bad), strict=True):
            (folder / name / file).write_text("\n".join(lines) + "\n")
    sst = folder / "SST" / "binary"
    sst.mkdir(parents=True)
    for part in ("train", "dev", "test"):
        rows = [f"{text}\t1" for text in good] + [f"{text}\t0" for text in bad]
        (sst / f"sentiment-{part}").write_text("\n".join(rows) + "\n")
    (folder / "TREC").mkdir()
    questions = [f"{kind}:x What {kind} {number} ?" for kind in KINDS for number in range(12)]
    for file in ("train_5500.label", "TREC_10.label"):
        (folder / "TREC" / file).write_text("\n".join(questions) + "\n")
    write_paraphrases(folder / "MRPC")
    return tmp_path


def write_paraphrases(folder: Path) -> None:
    """Paraphrases share their word. In the test part one of the ten pairs is labelled the other way round."""
    folder.mkdir()
    for part, wrong in (("train", -1), ("test", 0)):
        rows = []
        for number in range(30 if part == "train" else 10):
            same = number % 3 != 0
            first, second = GOOD[number % 3], GOOD[number % 3] if same else BAD[number % 3]
            label = int(same) if number != wrong else 1 - int(same)
            rows.append(f"{label}\t1\t2\tit is {first}\tso {second} it is")
        (folder / f"msr_paraphrase_{part}.txt").write_text("head\n" + "\n".join(rows) + "\n")


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
