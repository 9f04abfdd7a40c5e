"""The one interface every runtime has; the service knows nothing else of the model."""

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
PrecisionSetting = Precision | Literal["auto"]
Device = Literal["auto", "cpu", "cuda"]


class Runtime(Protocol):
    """Encodes token ids. One thread at a time may call it."""

    name: str
    """Which path computes, as `path-precision`: shown in `/info` and the log."""
    precision: Precision
    """In what numbers the matrix products are computed; vectors are always float32."""
    reason: str
    """Why this path and precision were chosen, in one sentence."""
    threads: int
    """How many threads compute."""
    dimension: int
    """Width of a sentence vector."""
    grounded_dimension: int | None
    """Width of the space shared with images; None without a grounding head."""

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """(n, dimension) float32 sentence vectors, not normalised, in the order of the batch.

        Raises:
            ValueError: the batch is empty, or a sentence of it has no token.
        """
        ...

    def states(self, batch: Sequence[Sequence[int]]) -> list[Vectors]:
        """(tokens, dimension) float32 of each sentence: the last layer's state of every token, before any head.

        Raises:
            ValueError: as `encode`.
        """
        ...

    def ground(self, sentences: Vectors) -> Vectors:
        """(n, dimension) sentence vectors to (n, grounded_dimension) unit vectors in the shared space."""
        ...


def check_batch(batch: Sequence[Sequence[int]]) -> None:
    """Raises ValueError for a batch that no runtime takes."""
    if not batch:
        raise ValueError("the batch is empty; give at least one sentence")
    if not all(len(ids) for ids in batch):
        raise ValueError("a sentence of the batch has no token; every sentence needs at least one")
