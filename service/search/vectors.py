"""Rules that every vector keeps before SQLite or FAISS sees it, and making them unit length.

FAISS checks none of this itself: it takes NaN, and under `python -O` it reads past the end of a narrow array.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.search.points import Vector

MAX_LENGTH = 1e18  # two such vectors multiply to at most 1e36; float32 ends at 3.4e38, so no score overflows


def stack(vectors: Sequence[Vector], width: int, what: str) -> NDArray[np.float32]:
    """(width,) vectors -> (n, width), copied and checked.

    Raises InvalidInput, which names the position as `what[position]`.
    """
    for position, vector in enumerate(vectors):
        if vector.dtype != np.float32 or vector.shape != (width,):
            found = f"{vector.dtype} of shape {vector.shape}"
            raise InvalidInput(f"{what}[{position}]: the vector is {found}; expected float32 of shape ({width},).")
    stacked = np.stack(vectors)
    require(stacked, width, what)
    return stacked


def require(vectors: NDArray[np.float32], width: int, what: str) -> None:
    """Raise InvalidInput unless `vectors` is float32 (n, width), finite, and short enough to never overflow."""
    if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != width:
        found = f"{vectors.dtype} of shape {vectors.shape}"
        raise InvalidInput(f"{what}: the vectors are {found}; expected float32 of shape (n, {width}).")
    _refuse(np.logical_not(np.isfinite(vectors).all(axis=1)), what, "has NaN or infinite numbers; expected finite ones")
    _refuse(lengths(vectors) > MAX_LENGTH, what, f"is longer than {MAX_LENGTH:g}, so scores could overflow; scale it")


def unit(vectors: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """(n, width) -> (n, width) of length 1; raises InvalidInput for a vector of zeros, which has no direction."""
    length = lengths(vectors)
    _refuse(length == 0, what, "is all zeros, which has no cosine; expected at least one number that is not 0")
    return (vectors / length[:, None]).astype(np.float32)


def lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, width) -> (n,) Euclidean lengths; in float64, where the square of a float32 cannot overflow."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares)


def _refuse(wrong: NDArray[np.bool_], what: str, reason: str) -> None:
    if wrong.any():
        raise InvalidInput(f"{what}[{int(wrong.argmax())}]: the vector {reason}.")
