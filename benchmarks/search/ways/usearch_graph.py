"""USearch, used directly; its argument is the type of the numbers it keeps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from usearch.index import Index

from benchmarks.search.ways.protocol import HITS, Vectors, serve

DEGREE = 16
BUILD_BREADTH = 128  # its default


class Graph:
    """See Way."""

    spreads_batches = True

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def build(self, vectors: Vectors, texts: Sequence[str], threads: int) -> None:  # noqa: ARG002
        """See Way."""
        count, width = vectors.shape
        self._index = Index(
            ndim=width, metric="ip", dtype=self._dtype, connectivity=DEGREE, expansion_add=BUILD_BREADTH
        )
        self._index.add(np.arange(count), vectors, threads=threads)

    def search(self, queries: Vectors, breadth: int, threads: int, *, told: bool) -> Any:  # noqa: ARG002
        """See Way."""
        self._index.expansion_search = breadth
        return self._index.search(queries, HITS, threads=threads)

    def ids(self, answer: Any) -> list[list[int]]:
        """See Way."""
        found: list[list[int]] = np.atleast_2d(answer.keys).tolist()
        return found


if __name__ == "__main__":
    serve(Graph)
