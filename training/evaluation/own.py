"""A run's own evaluation data, where it names some: pairs that choose the best step, images to be found."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import AblationConfig, DataConfig, EvaluationConfig
from training.data.files import lines
from training.data.pairs import open_pairs
from training.errors import DataError
from training.evaluation.retrieval import RetrievalSet
from training.evaluation.sts import Pairs


@dataclass(frozen=True, slots=True)
class OwnData:
    """What there is instead of the published sets."""

    dev: Pairs | None = None
    """Instead of STS-B dev"""
    retrieval: RetrievalSet | None = None
    """Instead of Flickr8k test"""


def read_own(config: EvaluationConfig, root: Path) -> OwnData:
    """Read what `[evaluation]` names; paths start from `root`.

    Raises:
        DataError: a file cannot be used; file, line and cure are told.
    """
    return OwnData(
        dev=read_pairs(root / config.dev) if config.dev is not None else None,
        retrieval=_read_retrieval(config, root) if config.captions is not None else None,
    )


def read_pairs(path: Path) -> Pairs:
    """Scored pairs, `score<TAB>sentence<TAB>sentence` a line.

    Raises:
        DataError: a row is malformed, or there are fewer than two.
    """
    first, second, gold = [], [], []
    for number, line in lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 3 or not all(columns):
            raise DataError(f"{path}, line {number}: expected a score, a tab, a sentence, a tab and a sentence.")
        gold.append(_score(columns[0], path, number))
        first.append(columns[1])
        second.append(columns[2])
    if len(set(gold)) < 2:
        raise DataError(f"{path}: {len(gold)} pairs with {len(set(gold))} different scores; a rank needs at least 2.")
    return Pairs(first, second, np.array(gold))


def _score(text: str, path: Path, number: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = np.nan
    if not np.isfinite(score):
        raise DataError(f"{path}, line {number}: the score is not a number.")
    return score


def _read_retrieval(config: EvaluationConfig, root: Path) -> RetrievalSet:
    data = DataConfig(captions=config.captions, features=config.features, split=config.split)
    pairs = open_pairs(data, AblationConfig(), root, seed=0, with_images=True)
    assert pairs.features is not None  # noqa: S101  (it was asked for)
    return RetrievalSet(
        captions=[caption for captions in pairs.captions for caption in captions],
        image_of=np.repeat(np.arange(len(pairs.names)), [len(captions) for captions in pairs.captions]),
        features=pairs.features.astype(np.float32),
    )
