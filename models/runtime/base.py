"""The one interface every runtime has; the service knows nothing else of the model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Runtime(Protocol):
    """Encodes token ids. One thread at a time may call it."""

    name: str
    """Which path computes: shown in `/info` and the log."""
    dimension: int
    """Width of a sentence vector."""
    grounded_dimension: int | None
    """Width of the space shared with images; None without a grounding head."""

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """(n, dimension) float32 sentence vectors, not normalised, in the order of the batch."""
        ...

    def ground(self, sentences: Vectors) -> Vectors:
        """(n, dimension) sentence vectors to (n, grounded_dimension) unit vectors in the shared space."""
        ...
