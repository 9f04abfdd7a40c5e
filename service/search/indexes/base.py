"""What every kind of index does: keep vectors by place, and find the places of those nearest to a query.

An index is a cache in memory; the store is the truth. It knows no ids, rows or deletes: whoever asks says which places
count.
"""

from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.search.view import Bits, Places

Vectors = NDArray[np.float32]


class Found(NamedTuple):
    """For q queries: `places` (q, k) int64, -1 where there is none, and `scores` (q, k) float32; the best first, the
    lower place first among equals."""

    places: Places
    scores: Vectors


class VectorIndex(Protocol):
    """Vectors of one width by place. Any thread may search; one at a time may append."""

    kind: str
    exact_scores: bool
    """Whether scores are those of the vectors themselves. Else they are estimates, and whoever asks should ask for more
    places than it needs and compare the vectors themselves."""

    def __len__(self) -> int:
        """Places in use."""

    def append(self, vectors: Vectors) -> None:
        """Give the next places to `vectors` (n, width). Raises MemoryError; then nothing has changed."""

    def nearest(
        self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None, breadth: int | None = None
    ) -> Found:
        """The best `wanted` of the first `count` places, or of those of them in `allowed`, as well as the kind can.

        `breadth` is how much an approximate kind looks at; None takes its default.
        """

    def nearest_exactly(self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None) -> Found:
        """The same by a look at every place. Where scores are estimates, all places that may be among the best."""

    def vectors_at(self, places: Places) -> Vectors | None:
        """The vectors (n, width) of these places; None where the index keeps something smaller."""

    def memory_bytes(self) -> int:
        """Memory of the index."""

    def unfinished(self) -> int:
        """Places that `tend` has still to work on; searches look at all of them meanwhile."""

    def tend(self, threads: int, count: int) -> None:
        """Do some of the work on the first `count` places that was put off; one thread at a time, beside searches."""

    def save(self, file: BinaryIO, count: int) -> None:
        """Write what is needed to have the first `count` places again; not while another thread calls `tend`.

        Raises NotNow where a vector came in meanwhile and the kind cannot leave it out.
        """


class NotNow(Exception):  # noqa: N818 (it is no error)
    """Try again later."""
