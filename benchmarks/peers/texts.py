"""Sentences for the benchmarks: drawn from Wikipedia by a seed, and written to an exact number of tokens."""

import gzip
import os
import random
from collections.abc import Sequence
from pathlib import Path

from models.bench.sentences import draw_sentences

ROOT = Path(__file__).parents[2]
_FEWEST_WORDS = 15  # so that the mean is about 30 tokens


def data_folder() -> Path:
    """MCSE_DATA, or the folder beside the repository."""
    return Path(os.environ.get("MCSE_DATA", ROOT.parent / "shared" / "data"))


def draw(count: int, seed: int = 1) -> list[str]:
    """English sentences of about 30 tokens on average; the same for the same seed.

    Raises:
        FileNotFoundError: the data folder has no Wikipedia sentences.
    """
    with gzip.open(data_folder() / "wiki" / "simplewiki_sentences.txt.gz", "rt", encoding="utf-8") as file:
        fitting = [line.strip() for line in file if line.count(" ") >= _FEWEST_WORDS - 1]
    return random.Random(seed).sample(fitting, count)  # noqa: S311 (nothing secret)


def of_lengths(tokens: Sequence[int], seed: int = 1) -> list[str]:
    """Texts of exactly so many tokens for an English WordPiece vocabulary, special tokens included."""
    words = " ".join(draw_sentences(2000, seed)).replace(".", "").lower().split()
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    return [" ".join(chance.choices(words, k=count - 2)) for count in tokens]
