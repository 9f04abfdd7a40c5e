"""The transfer tasks in small, made here."""

from pathlib import Path

import pytest

GOOD, BAD = ("good", "fine", "great"), ("bad", "poor", "awful")
KINDS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")


@pytest.fixture
def transfer(world: Path) -> Path:
    """The world with every task in it, each to be solved by looking at one word."""
    folder = world / "transfer"
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
    return world


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
