"""Rules that every vector keeps before SQLite or FAISS sees it, and making them unit length.

FAISS checks none of this itself: it takes NaN, and under `python -O` it reads past the end of a narrow array.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.search.points import Vector

COSINE = "cosine"
"""Vectors are made unit length when they are stored and when they are searched for."""
DOT = "dot"
"""Vectors are taken as they are."""
METRICS = (COSINE, DOT)

MOST_WIDTH = 8192  # what the kernel of the graph takes, and more than any model gives
UNIT_TO = 1e-6  # float32 vectors that were scaled have length 1 to within half of this
MAX_LENGTH = 1e18  # two such vectors multiply to at most 1e36; float32 ends at 3.4e38, so no score overflows


def stack(vectors: Sequence[Vector], width: int, what: str) -> NDArray[np.float32]:
    """(width,) vectors -> (n, width), copied; their numbers are checked by `scaled`.

    Raises InvalidInput, which names the position as `what[position]`.
    """
    for position, vector in enumerate(vectors):
        if vector.dtype != np.float32 or vector.shape != (width,):
            found = f"{vector.dtype} of shape {vector.shape}"
            raise InvalidInput(f"{what}[{position}]: the vector is {found}; expected float32 of shape ({width},).")
    return np.stack(vectors)


def require(vectors: NDArray[np.float32], width: int, what: str) -> None:
    """Raise InvalidInput unless `vectors` is float32 (n, width), finite, and short enough to never overflow."""
    _measured(vectors, width, what)


def scaled(vectors: NDArray[np.float32], width: int, metric: str, what: str) -> NDArray[np.float32]:
    """Vectors (n, width) as a collection of `metric` keeps them and is asked with them, checked by `require`."""
    if metric == COSINE:
        return unit(vectors, width, what)
    require(vectors, width, what)
    return vectors


def unit(vectors: NDArray[np.float32], width: int, what: str) -> NDArray[np.float32]:
    """The same checks; (n, width) -> (n, width) of length 1.

    Raises InvalidInput for a vector of zeros, too, which has no direction.
    """
    length = _measured(vectors, width, what)
    if not length.all():
        _refuse(length == 0, what, "is all zeros, which has no cosine; expected at least one number that is not 0")
    # A vector that has this length already comes out as it went in, however often it is written.
    factor = np.where(np.abs(length - 1) < UNIT_TO, 1.0, length)
    return (vectors / factor[:, None]).astype(np.float32)


def _measured(vectors: NDArray[np.float32], width: int, what: str) -> NDArray[np.float64]:
    """The lengths of vectors that keep the rules."""
    if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != width:
        found = f"{vectors.dtype} of shape {vectors.shape}"
        raise InvalidInput(f"{what}: the vectors are {found}; expected float32 of shape (n, {width}).")
    length = lengths(vectors)  # NaN or infinite where a number is
    if not (length <= MAX_LENGTH).all():
        _refuse(~np.isfinite(length), what, "has NaN or infinite numbers; expected finite ones")
        _refuse(length > MAX_LENGTH, what, f"is longer than {MAX_LENGTH:g}, so scores could overflow; scale it")
    return length


def lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, width) -> (n,) Euclidean lengths; in float64, where the square of a float32 cannot overflow."""
    wide = vectors.astype(np.float64)
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", wide, wide)
    return np.sqrt(squares)


def _refuse(wrong: NDArray[np.bool_], what: str, reason: str) -> None:
    if wrong.any():
        raise InvalidInput(f"{what}[{int(wrong.argmax())}]: the vector {reason}.")
