"""The seven STS sets as SimCSE and MCSE evaluate on them: files in SentEval's layout, all pairs of a set together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from training.errors import DataError

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to their vectors, (n, width)."""

STS_YEARS = ("STS12", "STS13", "STS14", "STS15", "STS16")
STS_SETS = (*STS_YEARS, "STSB", "SICKR")
STS_DEV = "STSB-dev"

_Row = tuple[str, str, str, float]
"""Subset, both sentences, gold"""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sentence pairs with the score people gave them."""

    first: list[str]
    second: list[str]
    gold: NDArray[np.float64]
    """(n,) 0 to 5; SICK 1 to 5"""
    subsets: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """Rows of each subset, in file order: the files of a year, the genres of STS-B; empty for SICK"""


@dataclass(frozen=True, slots=True)
class IndexedPairs:
    """Pairs as rows of their distinct sentences, so that each sentence is encoded once."""

    sentences: list[str]
    first: NDArray[np.int64]
    """(n,)"""
    second: NDArray[np.int64]
    """(n,)"""

    @classmethod
    def of(cls, pairs: Pairs) -> "IndexedPairs":
        """Index a set."""
        sentences = sorted({*pairs.first, *pairs.second})
        row_of = {sentence: row for row, sentence in enumerate(sentences)}
        first, second = (np.array([row_of[s] for s in side], dtype=np.int64) for side in (pairs.first, pairs.second))
        return cls(sentences, first, second)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows scaled to length 1, in float64; a row of zeros stays, and has the cosine 0 to everything as in SentEval."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths == 0, 1.0, lengths)


def cosines(indexed: IndexedPairs, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) cosine of each pair, from (sentences, width) unit vectors."""
    products: NDArray[np.float64] = (vectors[indexed.first] * vectors[indexed.second]).sum(axis=1)
    return products


def rank_correlation(cosine: NDArray[np.float64], gold: NDArray[np.float64]) -> float:
    """Spearman's correlation x 100; NaN where either side is constant or not finite."""
    if not np.isfinite(cosine).all() or min(np.ptp(cosine), np.ptp(gold)) == 0:
        return float("nan")
    return float(spearmanr(cosine, gold).statistic) * 100


def spearman(encode: Encode, pairs: Pairs) -> float:
    """Spearman's correlation x 100 between cosine and gold, over all pairs at once ("all")."""
    indexed = IndexedPairs.of(pairs)
    return rank_correlation(cosines(indexed, unit(encode(indexed.sentences))), pairs.gold)


def read_set(name: str, data: Path) -> Pairs:
    """One of `STS_SETS`, or `STS_DEV`.

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
        return _collect(_rows(name, folder))
    except (IndexError, ValueError) as error:
        raise DataError(f"{folder}: a row of {name} is malformed ({error}). Fetch the files again.") from error


def _rows(name: str, folder: Path) -> Iterator[_Row]:
    if name in ("STSB", STS_DEV):
        part = "dev" if name == STS_DEV else "test"
        return _benchmark_rows(folder / "STSBenchmark" / f"sts-{part}.csv")
    if name == "SICKR":
        return _sick_rows(folder / "SICK" / "SICK_test_annotated.txt")
    return _year_rows(folder / f"{name}-en-test")


def _collect(rows: Iterator[_Row]) -> Pairs:
    subset, first, second, gold = zip(*rows, strict=True)
    names = np.array(subset)
    subsets = {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(subset) if name}
    return Pairs([*map(_respace, first)], [*map(_respace, second)], np.array(gold), subsets)


def _respace(sentence: str) -> str:
    """SentEval splits on white space and joins again."""
    return " ".join(sentence.split())


def _year_rows(folder: Path) -> Iterator[_Row]:
    """STS12 to STS16: an input and a gold file per subset; a row without gold was never scored and is skipped."""
    inputs = sorted(folder.glob("STS.input.*.txt"))
    if not inputs:
        raise DataError(f"{folder}: no STS.input.*.txt in it.")
    for path in inputs:
        gold = path.with_name(path.name.replace("STS.input.", "STS.gs."))
        subset = path.name.removeprefix("STS.input.").removesuffix(".txt")
        lines, scores = _read(path), _read(gold)
        if len(lines) != len(scores):
            raise DataError(f"{path}: {len(lines)} pairs, but {gold.name} has {len(scores)} scores.")
        for line, score in zip(lines, scores, strict=True):
            if score.strip():
                first, second = line.split("\t")[:2]
                yield subset, first, second, float(score)


def _benchmark_rows(path: Path) -> Iterator[_Row]:
    """STS-B: split on tabs without quoting, since quote characters are part of the sentences."""
    for line in _read(path):
        columns = line.split("\t")
        yield columns[0], columns[5], columns[6], float(columns[4])


def _sick_rows(path: Path) -> Iterator[_Row]:
    for line in _read(path)[1:]:
        columns = line.split("\t")
        yield "", columns[1], columns[2], float(columns[3])


def _read(path: Path) -> list[str]:
    try:
        # Not splitlines(): some sentences hold characters that it takes for line ends.
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
