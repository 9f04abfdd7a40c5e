"""A real collection of the benchmark's vectors, in a data directory of its own."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.points import Json, Point, Storage

NAME = "benchmark"
FINGERPRINT = "benchmark"
MAX_POINTS = 5_000_000
BATCH = 256  # points a write, as in a full request

Vectors = NDArray[np.float32]


@contextmanager
def opened(folder: Path, width: int, fingerprint: str = FINGERPRINT) -> Iterator[Collections]:
    """The collections of a data directory, tended as in the service."""
    collections = Collections.open(
        folder, fingerprint=fingerprint, dimensions={"sentence": width}, max_points=MAX_POINTS
    )
    try:
        yield collections
    finally:
        collections.close()


def create(collections: Collections, storage: Storage = "float32", name: str = NAME) -> StoredCollection:
    """An empty collection whose kind of index is left to us."""
    return collections.create(name, space="sentence", storage=storage)


def fill(
    collection: StoredCollection,
    vectors: Vectors,
    texts: Sequence[str] | None = None,
    metadata: Sequence[Mapping[str, Json]] | None = None,
    first: int = 0,
) -> None:
    """Write points with the ids first, first + 1, ... in full requests; each is on disk before the next."""
    for start in range(0, len(vectors), BATCH):
        rows = range(start, min(start + BATCH, len(vectors)))
        collection.upsert(
            [
                Point(
                    first + row,
                    vectors[row],
                    None if texts is None else texts[row],
                    None if metadata is None else dict(metadata[row]),
                )
                for row in rows
            ]
        )


def settle(collection: StoredCollection) -> None:
    """Wait until the index has taken everything in."""
    while collection.report().building or _is_behind(collection):
        time.sleep(0.02)


def _is_behind(collection: StoredCollection) -> bool:
    from service.search.embedded import kinds

    now = collection.contents
    return kinds.is_due(collection.static_info, now.index, now.view.count, now.view.live_count)
