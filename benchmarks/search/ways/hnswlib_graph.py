"""hnswlib, used directly."""

from collections.abc import Sequence
from typing import Any

import hnswlib
import numpy as np

from benchmarks.search.ways.protocol import HITS, Vectors, serve

DEGREE = 16
BUILD_BREADTH = 200


class Graph:
    """See Way."""

    spreads_batches = True

    def build(self, vectors: Vectors, texts: Sequence[str], threads: int) -> None:  # noqa: ARG002
        """See Way."""
        count, width = vectors.shape
        self._index = hnswlib.Index("ip", width)
        self._index.init_index(count, M=DEGREE, ef_construction=BUILD_BREADTH)
        self._index.add_items(vectors, np.arange(count), num_threads=threads)

    def search(self, queries: Vectors, breadth: int, threads: int, *, told: bool) -> Any:  # noqa: ARG002
        """See Way."""
        self._index.set_ef(breadth)
        return self._index.knn_query(queries, k=HITS, num_threads=threads)

    def ids(self, answer: Any) -> list[list[int]]:
        """See Way."""
        found: list[list[int]] = answer[0].tolist()
        return found


if __name__ == "__main__":
    serve(lambda _: Graph())
