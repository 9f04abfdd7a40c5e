"""Vectors of the shipped checkpoint in process, for what a benchmark needs beforehand."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.cores import usable_cores
from models.errors import TextError
from models.runtime.base import PrecisionSetting, Runtime
from models.serving import ServedCheckpoint, open_to_serve
from models.shipped import SHIPPED

BATCH = 128  # sentences encoded together
PRECISION: PrecisionSetting = (
    "int8"  # four times as fast as float32 and, for a search's cost and recall, the same vectors
)
INSTEAD = "nothing"  # of a text without content

Vectors = NDArray[np.float32]


@cache
def shipped(precision: PrecisionSetting = PRECISION) -> tuple[ServedCheckpoint, Runtime]:
    """The checkpoint, opened once."""
    return open_to_serve(str(SHIPPED), precision=precision, threads=usable_cores())


def embed(texts: Sequence[str], precision: PrecisionSetting = PRECISION) -> Vectors:
    """(n, width) of unit length; texts of about one length are encoded together."""
    checkpoint, runtime = shipped(precision)
    tokenized = [_tokens(checkpoint, text) for text in texts]
    order = sorted(range(len(texts)), key=lambda row: -len(tokenized[row]))
    vectors = np.empty((len(texts), runtime.dimension), np.float32)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        vectors[rows] = runtime.encode([tokenized[row] for row in rows])
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _tokens(checkpoint: ServedCheckpoint, text: str) -> list[int]:
    try:
        return checkpoint.tokenizer.encode([text])[0].ids
    except TextError:
        return checkpoint.tokenizer.encode([INSTEAD])[0].ids
