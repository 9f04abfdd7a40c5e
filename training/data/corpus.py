"""Which sentences make which batch: shuffled by seed and pass, so that any batch of a run can be made on its own."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.text import TextTokenizer
from training.data.pairs import ImageCaptions
from training.data.tokens import TokenStore, tokenized
from training.errors import DataError

_TEXT, _PAIR, _CHOICE = 0, 1, 2  # keep the random streams of one seed apart

Rows = list[NDArray[np.integer]]
"""Token ids of sentences, special tokens included."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one loss is computed on."""

    columns: tuple[Rows, ...]
    """One column: each sentence is its own positive. Two: sentences and positives. Three: and hard negatives."""
    features: NDArray[np.float32] | None = None
    """(batch, width) image features, row by row; None where the batch has no images"""

    def __len__(self) -> int:
        return len(self.columns[0])

    def share(self, rank: int, world: int) -> "Batch":
        """The rows of one of `world` processes; all get as many, so up to world - 1 rows of a last batch are left out.

        Raises:
            DataError: the batch has fewer rows than there are processes.
        """
        size = len(self) // world
        if size == 0:
            raise DataError(
                f"a batch of {len(self)} rows cannot be shared by {world} processes. Give another schedule.batch_size, "
                "so that the last batch of a pass is not as small."
            )
        mine = slice(rank * size, (rank + 1) * size)
        features = self.features[mine] if self.features is not None else None
        return Batch(tuple(column[mine] for column in self.columns), features)


@dataclass(frozen=True, slots=True)
class TextCorpus:
    """Text alone, or supervised examples of two or three sentences."""

    store: TokenStore
    seed: int

    def batches(self, size: int) -> int:
        """Batches in one pass; the last may be smaller."""
        return -(-len(self.store) // size)

    def rows(self, index: int, size: int) -> NDArray[np.int64]:
        """Which examples the index-th batch since the run began holds; each pass has its own order, from the seed."""
        passed, position = divmod(index, self.batches(size))
        order = _order(self.seed, _TEXT, passed, len(self.store))
        return order[position * size : (position + 1) * size]

    def batch(self, index: int, size: int) -> Batch:
        """The index-th batch since the run began."""
        rows = self.rows(index, size)
        return Batch(tuple(self.store.column(rows, column) for column in range(self.store.columns)))


@dataclass(frozen=True, slots=True)
class CaptionCorpus:
    """Images as features, each with its captions. A pass visits each image once, so no batch repeats one."""

    store: TokenStore
    """Every caption; those of an image stand together"""
    first: NDArray[np.int64]
    """(images + 1,) row of each image's first caption; the last entry is the number of captions"""
    features: NDArray[np.floating] | None
    """(images, width), stored dtype; None where the run uses no images"""
    seed: int
    rotate: bool
    """Take another caption of each image at each pass, instead of one chosen for the whole run."""

    @classmethod
    def of(
        cls, pairs: ImageCaptions, tokenizer: TextTokenizer, *, seed: int, rotate: bool, name: str
    ) -> "CaptionCorpus":
        """Tokenize the captions.

        Raises:
            DataError: a caption has no content.
        """
        store = tokenized([text for texts in pairs.captions for text in texts], tokenizer, name=name)
        counts = np.array([len(texts) for texts in pairs.captions], np.int64)
        return cls(store, np.concatenate([[0], counts.cumsum()]), pairs.features, seed, rotate)

    def __len__(self) -> int:
        """Images."""
        return len(self.first) - 1

    def batches(self, size: int) -> int:
        """Batches in one pass; the last may be smaller."""
        return -(-len(self) // size)

    def rows(self, index: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Images of the index-th batch since the run began, and the row of the caption that each comes with."""
        passed, position = divmod(index, self.batches(size))
        images = _order(self.seed, _PAIR, passed, len(self))[position * size : (position + 1) * size]
        start, count = self.first[images], np.diff(self.first)[images]
        choice = _order(self.seed, _CHOICE, 0, len(self))[images]
        return images, start + (choice + (passed if self.rotate else 0)) % count

    def batch(self, index: int, size: int) -> Batch:
        """The index-th batch since the run began."""
        images, captions = self.rows(index, size)
        features = self.features[images].astype(np.float32) if self.features is not None else None
        return Batch((self.store.column(captions, 0),), features)


@lru_cache(maxsize=4)  # the text's, the captions' and the choice of captions; a pass asks for the same one each time
def _order(seed: int, stream: int, passed: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, stream, passed)).permutation(size)
