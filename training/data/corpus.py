"""Training data, checked when it is opened: what does not fit is named with its line, before the first step."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import TextError, TextTokenizer
from training.config import DataConfig
from training.data.captions import read_captions, read_ids
from training.data.features import read_features
from training.data.text import read_sentences
from training.errors import DataError

_ALPHANUMERIC = re.compile("[0-9A-Za-z]")
_TEXT, _PAIR, _CHOICE = 0, 1, 2  # keep the random streams of one seed apart


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Captions with the features of their images, row by row."""

    captions: list[str]
    features: NDArray[np.float32] | None
    """(batch, width); None where the run uses no images"""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Text alone."""

    lines: list[str]
    seed: int

    def batches(self, size: int) -> int:
        """Batches in one pass; the last may be smaller."""
        return -(-len(self.lines) // size)

    def batch(self, index: int, size: int) -> list[str]:
        """The index-th batch since the run began; each pass has its own order, drawn from the seed."""
        passed, position = divmod(index, self.batches(size))
        order = _order(self.seed, _TEXT, passed, len(self.lines))
        return [self.lines[row] for row in order[position * size : (position + 1) * size]]


@dataclass(frozen=True, slots=True)
class CaptionedImages:
    """Images as features, each with its captions. A pass visits each image once, so no batch repeats one."""

    captions: list[list[str]]
    features: NDArray[np.float32] | None
    """(images, width); None where the run uses no images"""
    seed: int
    rotate: bool
    """Take another caption of each image at each pass, instead of one chosen for the whole run."""

    def batches(self, size: int) -> int:
        """Batches in one pass; the last may be smaller."""
        return -(-len(self.captions) // size)

    def batch(self, index: int, size: int) -> PairBatch:
        """The index-th batch since the run began."""
        passed, position = divmod(index, self.batches(size))
        order = _order(self.seed, _PAIR, passed, len(self.captions))
        rows = order[position * size : (position + 1) * size]
        turn = passed if self.rotate else 0
        choice = _order(self.seed, _CHOICE, 0, len(self.captions))
        chosen = [self.captions[row][(choice[row] + turn) % len(self.captions[row])] for row in rows]
        return PairBatch(chosen, self.features[rows] if self.features is not None else None)


@lru_cache(maxsize=4)  # the text's, the captions' and the choice of captions; a pass asks for the same one each time
def _order(seed: int, stream: int, passed: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, stream, passed)).permutation(size)


def open_text(path: Path, seed: int) -> Sentences:
    """Read sentences, one a line, plain or gzip.

    Raises:
        DataError: the file is missing, not UTF-8, or has an empty line; with the line number.
    """
    return Sentences([line for _, line in read_sentences(path)], seed)


def open_pairs(config: DataConfig, root: Path, seed: int) -> CaptionedImages:
    """Read captions, and image features where there are any, and join them by image id.

    Raises:
        DataError: a file is missing or malformed, or an image lacks captions or features.
    """
    if config.captions is None:
        raise DataError("data.captions is not set.")
    captions_path = root / config.captions
    captions = read_captions(captions_path)
    wanted = read_ids(root / config.split) if config.split is not None else list(captions)
    for name in wanted:
        if name not in captions:
            raise DataError(f"{captions_path}: no caption for the image {name}, which the split lists.")
    return CaptionedImages(
        captions=[captions[name] for name in wanted],
        features=_features_of(wanted, root / config.features) if config.features is not None else None,
        seed=seed,
        rotate=config.captions_per_image == "all",
    )


def _features_of(wanted: list[str], path: Path) -> NDArray[np.float32]:
    features = read_features(path)
    row_of = {name: row for row, name in enumerate(features.ids or [])}
    for name in wanted:
        if name not in row_of:
            raise DataError(
                f"{path}: no features for the image {name}, which has captions. "
                "Make its features, or list the images to use in data.split."
            )
    return features.values[[row_of[name] for name in wanted]].astype(np.float32)


def check_content(name: str, texts: Iterable[str], tokenizer: TextTokenizer) -> None:
    """Refuse a text that no token comes out of, before a run is under way.

    A text with an ASCII letter or digit has a token in every vocabulary; only the others are tokenized.

    Raises:
        DataError: with the number of the text.
    """
    for number, text in enumerate(texts, start=1):
        if _ALPHANUMERIC.search(text) is None:
            try:
                tokenizer.encode([text])
            except TextError as error:
                raise DataError(f"{name}, text {number}: {error}. Remove it.") from error
