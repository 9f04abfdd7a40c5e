"""From pooled vectors to the vectors of an answer: cut, then normalise. Pure functions."""

import numpy as np
from numpy.typing import NDArray

from models.vectors import unit
from service.errors import InvalidInput

__all__ = ["Vectors", "shape_vectors", "unit"]

Vectors = NDArray[np.float32]


def shape_vectors(vectors: Vectors, *, dimensions: int | None, normalize: bool) -> Vectors:
    """(n, width) -> (n, dimensions): cut first, then scale to unit length where asked.

    Raises InvalidInput when `dimensions` is not within 1..width.
    """
    cut = _cut(vectors, dimensions)
    return unit(cut) if normalize else np.ascontiguousarray(cut)


def _cut(vectors: Vectors, dimensions: int | None) -> Vectors:
    width = vectors.shape[1]
    if dimensions is None:
        return vectors
    if not 1 <= dimensions <= width:
        raise InvalidInput(f"`dimensions` is {dimensions}; it must be between 1 and {width}.", param="dimensions")
    return vectors[:, :dimensions]
