"""SentEval's seven transfer tasks as they stand in its files: sentiment, opinion, question type, paraphrase."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

TRANSFER_TASKS = ("MR", "CR", "SUBJ", "MPQA", "SST2", "TREC", "MRPC")
MRPC_F1 = "MRPC-F1"
"""What MRPC reports besides its accuracy"""

_ONE_PART = {  # task: files of label 1 and of label 0
    "MR": ("MR/rt-polarity.pos", "MR/rt-polarity.neg"),
    "CR": ("CR/custrev.pos", "CR/custrev.neg"),
    "SUBJ": ("SUBJ/subj.objective", "SUBJ/subj.subjective"),
    "MPQA": ("MPQA/mpqa.pos", "MPQA/mpqa.neg"),
}
_EMPTY = "."  # for the four empty lines of CR and three of MPQA, as SentEval's own examples do
_QUESTION_TYPES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")

_Row = tuple[tuple[str, ...], int]
"""One sentence, or the two of MRPC, and the label"""


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled sentences, or labelled pairs of sentences."""

    texts: list[tuple[str, ...]]
    labels: NDArray[np.int64]


def read_task(name: str, data: Path) -> list[Examples]:
    """The parts of a task: one; training and test; or training, development and test.

    Args:
        name: one of `TRANSFER_TASKS`.
        data: the folder of evaluation data; the tasks are in its `transfer/`.

    Raises:
        DataError: a file is missing or malformed.
    """
    folder = data / "transfer"
    if not folder.is_dir():
        raise DataError(f"{folder}: no transfer tasks there. Say where the data is with --data or MCSE_DATA.")
    if name in _ONE_PART:
        positive, negative = (_read(folder / path, _plain, "latin-1") for path in _ONE_PART[name])
        return [_examples([(text, 1) for text, _ in positive] + [(text, 0) for text, _ in negative])]
    if name == "SST2":
        paths = [folder / "SST" / "binary" / f"sentiment-{part}" for part in ("train", "dev", "test")]
        return [_examples(_read(path, _sentiment)) for path in paths]
    if name == "TREC":
        paths = [folder / "TREC" / file for file in ("train_5500.label", "TREC_10.label")]
        return [_examples(_read(path, _question, "latin-1")) for path in paths]
    paths = [folder / "MRPC" / f"msr_paraphrase_{part}.txt" for part in ("train", "test")]
    return [_examples(_read(path, _paraphrase, skip=1)) for path in paths]


def _examples(rows: list[_Row]) -> Examples:
    """Sorted by length and label, as SentEval sorts them before it draws the folds."""
    rows = sorted(rows, key=lambda row: (*(len(text.split()) for text in row[0]), row[1]))
    return Examples([texts for texts, _ in rows], np.array([label for _, label in rows]))


def _read(path: Path, parse: Callable[[str], _Row], encoding: str = "utf-8", skip: int = 0) -> list[_Row]:
    try:
        lines = path.read_text(encoding=encoding).removesuffix("\n").split("\n")[skip:]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    rows = []
    for number, line in enumerate(lines, start=skip + 1):
        try:
            texts, label = parse(line)
        except (IndexError, ValueError) as error:
            raise DataError(f"{path}, line {number}: malformed ({error}). Fetch the file again.") from error
        rows.append((tuple(" ".join(text.split()) or _EMPTY for text in texts), label))
    return rows


def _plain(line: str) -> _Row:
    return (line,), 0


def _sentiment(line: str) -> _Row:
    text, label = line.rstrip().split("\t")
    return (text,), int(label)


def _question(line: str) -> _Row:
    kind, _, rest = line.partition(":")
    _, _, text = rest.partition(" ")
    return (text,), _QUESTION_TYPES.index(kind)


def _paraphrase(line: str) -> _Row:
    columns = line.split("\t")
    return (columns[3], columns[4]), int(columns[0])
