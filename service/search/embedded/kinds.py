"""Which kind of index a collection is searched with: what was asked for, and how many points there are."""

from service.search.indexes import graph, ivf
from service.search.indexes.base import VectorIndex
from service.search.indexes.flat import FlatIndex
from service.search.indexes.graph import GraphIndex
from service.search.indexes.ivf import IvfIndex
from service.search.points import CollectionInfo

# `auto` leaves the exact kind here. Measured with width 384: below it a search takes less than 3 ms.
APPROXIMATE_FROM = 50_000
BACK_BELOW = 25_000  # points under which `auto` becomes exact again; far enough below not to go to and fro

REBUILD_SHARE = 0.25  # of places that are of deleted points
REBUILD_FEWEST = 1_024
LISTS_GROWN = 3.0  # times as many lists as there are would be right: time to make new ones


def kind_for(asked: str, points: int, present: str) -> str:
    """The kind that a collection with so many points should be searched with; `present` is the one it is."""
    approximate = asked
    if asked == "auto":
        approximate = "hnsw" if graph.is_available() else "ivf"
        if points < (BACK_BELOW if present == approximate else APPROXIMATE_FROM):
            return "flat"
    if approximate == "ivf" and points < ivf.FEWEST:
        return "flat"
    if approximate == "hnsw" and not graph.is_available():
        return "flat"
    return approximate


def first_index(info: CollectionInfo, points: int) -> VectorIndex:
    """An index to begin with, at once: `ivf` needs vectors before it can be made, and is flat until then."""
    if kind_for(info.index, points, "flat") == "hnsw":
        return GraphIndex(info.dimension, keep_vectors=info.storage == "float32")
    return FlatIndex(info.dimension)


def is_due(info: CollectionInfo, index: VectorIndex, places: int, points: int) -> bool:
    """Whether the index should be built again."""
    if kind_for(info.index, points, index.kind) != index.kind:
        return True
    if isinstance(index, IvfIndex) and ivf.lists_for(points) > LISTS_GROWN * index.lists:
        return True
    dead = places - points
    return dead >= REBUILD_FEWEST and dead > REBUILD_SHARE * places
