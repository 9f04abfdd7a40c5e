"""The seven STS sets as SimCSE and MCSE evaluate on them: files in SentEval's layout, all pairs of a set together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from training.errors import DataError

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to their vectors, (n, width)."""

STS_SETS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STSB", "SICKR")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sentence pairs with the score people gave them."""

    first: list[str]
    second: list[str]
    gold: NDArray[np.float64]
    """(n,) 0 to 5; SICK 1 to 5"""


def spearman(encode: Encode, pairs: Pairs) -> float:
    """Spearman's correlation x 100 between cosine and gold, over all pairs at once ("all")."""
    sentences = sorted({*pairs.first, *pairs.second})
    vectors = encode(sentences)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    row_of = {sentence: row for row, sentence in enumerate(sentences)}
    first = vectors[[row_of[sentence] for sentence in pairs.first]]
    second = vectors[[row_of[sentence] for sentence in pairs.second]]
    cosine = (first * second).sum(axis=1)
    return float(spearmanr(cosine, pairs.gold).statistic) * 100


def read_set(name: str, data: Path) -> Pairs:
    """One of `STS_SETS`, or `STSB-dev`.

    Args:
        name: the set.
        data: the folder of evaluation data; the sets are in its `sts/`.

    Raises:
        DataError: a file is missing or malformed.
    """
    folder = data / "sts"
    if not folder.is_dir():
        raise DataError(f"{folder}: no STS data there. Say where it is with --data or MCSE_DATA.")
    try:
        return _read_rows(name, folder)
    except (IndexError, ValueError) as error:
        raise DataError(f"{folder}: a row of {name} is malformed ({error}). Fetch the files again.") from error


def _read_rows(name: str, folder: Path) -> Pairs:
    if name in ("STSB", "STSB-dev"):
        part = "dev" if name.endswith("dev") else "test"
        return _collect(_benchmark_rows(folder / "STSBenchmark" / f"sts-{part}.csv"))
    if name == "SICKR":
        return _collect(_sick_rows(folder / "SICK" / "SICK_test_annotated.txt"))
    return _collect(_year_rows(folder / f"{name}-en-test"))


def _collect(rows: Iterator[tuple[str, str, float]]) -> Pairs:
    first, second, gold = zip(*rows, strict=True)
    return Pairs([*map(_respace, first)], [*map(_respace, second)], np.array(gold))


def _respace(sentence: str) -> str:
    """SentEval splits on white space and joins again."""
    return " ".join(sentence.split())


def _year_rows(folder: Path) -> Iterator[tuple[str, str, float]]:
    """STS12 to STS16: an input and a gold file per subset; a row without gold was never scored and is skipped."""
    inputs = sorted(folder.glob("STS.input.*.txt"))
    if not inputs:
        raise DataError(f"{folder}: no STS.input.*.txt in it.")
    for path in inputs:
        gold = path.with_name(path.name.replace("STS.input.", "STS.gs."))
        lines, scores = _read(path), _read(gold)
        if len(lines) != len(scores):
            raise DataError(f"{path}: {len(lines)} pairs, but {gold.name} has {len(scores)} scores.")
        for line, score in zip(lines, scores, strict=True):
            if score.strip():
                first, second = line.split("\t")[:2]
                yield first, second, float(score)


def _benchmark_rows(path: Path) -> Iterator[tuple[str, str, float]]:
    """STS-B: split on tabs without quoting, since quote characters are part of the sentences."""
    for line in _read(path):
        columns = line.split("\t")
        yield columns[5], columns[6], float(columns[4])


def _sick_rows(path: Path) -> Iterator[tuple[str, str, float]]:
    for line in _read(path)[1:]:
        columns = line.split("\t")
        yield columns[1], columns[2], float(columns[3])


def _read(path: Path) -> list[str]:
    try:
        # Not splitlines(): some sentences hold characters that it takes for line ends.
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
