"""`search` of one of our collections; its argument is what the index keeps of the vectors."""

import atexit
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.search.ours import create, fill, opened, settle
from benchmarks.search.ways.protocol import HITS, Vectors, serve
from service.search.points import Search, Storage


class Searched:
    """See Way."""

    spreads_batches = False

    def __init__(self, storage: str) -> None:
        self._storage = cast(Storage, storage)
        self._resources = ExitStack()
        atexit.register(self._resources.close)

    def build(self, vectors: Vectors, texts: Sequence[str], threads: int) -> None:  # noqa: ARG002
        """See Way; every point is on disk too."""
        folder = self._resources.enter_context(tempfile.TemporaryDirectory())
        collections = self._resources.enter_context(opened(Path(folder), vectors.shape[1]))
        self._collection = create(collections, self._storage)
        metadata = [{"words": text.count(" ") + 1} for text in texts]
        fill(self._collection, np.asarray(vectors), texts, metadata)
        settle(self._collection)

    def search(self, queries: Vectors, breadth: int, threads: int, *, told: bool) -> Any:  # noqa: ARG002
        """See Way."""
        asked = Search(queries, limit=HITS, breadth=breadth, with_text=told, with_metadata=told)
        return self._collection.search(asked)

    def ids(self, answer: Any) -> list[list[int]]:
        """See Way."""
        return [[hit.id for hit in hits] for hits in answer]


if __name__ == "__main__":
    serve(Searched)
