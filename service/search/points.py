"""What goes into a collection and what comes out of it: plain frozen values, no behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.search.filters.model import Filter

PointId: TypeAlias = str | int
"""The caller's own id; `1` and `"1"` are two different ids."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Metadata: TypeAlias = dict[str, Json]

Vector: TypeAlias = NDArray[np.float32]

Metric: TypeAlias = Literal["cosine", "dot"]
IndexKind: TypeAlias = Literal["flat", "hnsw", "ivf", "auto"]
Storage: TypeAlias = Literal["float32", "int8"]
OnConflict: TypeAlias = Literal["replace", "skip", "error"]
Mode: TypeAlias = Literal["dense", "lexical", "hybrid"]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A point to write; `vector` is float32 of shape (dimension,)."""

    id: PointId
    vector: Vector
    text: str | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StoredPoint:
    """A point as it is kept; in a cosine collection `vector` has length 1."""

    id: PointId
    vector: Vector
    text: str | None
    metadata: Metadata | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result; a higher score is a better one, whatever the metric.

    `text`, `metadata` and `vector` are None where the search did not ask for them. In a hybrid search `score` is that
    of the fusion, and `dense_score` and `lexical_score` are those of the two searches that found the point.
    """

    id: PointId
    score: float
    text: str | None = None
    metadata: Metadata | None = None
    vector: Vector | None = field(default=None, compare=False)
    dense_score: float | None = None
    lexical_score: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The best hits that share one value of a metadata field."""

    value: str | int | bool
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One or several queries with what they have in common.

    `queries` (q, dimension) float32 are needed by the modes dense and hybrid, `words` (q texts) by lexical and hybrid.
    """

    queries: NDArray[np.float32] | None = None
    words: tuple[str, ...] | None = None
    mode: Mode = "dense"
    limit: int = 10
    offset: int = 0
    score_threshold: float | None = None
    filter: Filter | None = None
    exact: bool = False
    """Look at every point, also where the index is approximate."""
    breadth: int | None = None
    """How much an approximate index looks at; None takes its default. More finds more and takes longer."""
    exclude: frozenset[PointId] = field(default_factory=frozenset)
    """Ids that are no answer: those a search for "more like this" came from."""
    with_text: bool = True
    with_metadata: bool = True
    with_vector: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which points of a collection: those of `ids`, or those that `filter` lets through. One of the two is given."""

    ids: Sequence[PointId] | None = None
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some points in the order of their writing; `next_cursor` is None on the last page."""

    points: tuple[StoredPoint, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The state of the index that answers a collection's searches."""

    kind: str
    """The kind in force: `auto` is resolved, and an index that is being built says which one answers meanwhile."""
    memory_bytes: int
    deleted_share: float
    """Share of its places that are of deleted points and wait for the next rebuild."""
    building: bool
    recall: float | None
    """recall@10 against an exact search, on a sample of the collection's own vectors; None where nobody measured."""


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection says of itself."""

    name: str
    space: str
    """The vector space of the model that its points belong to."""
    metric: str
    dimension: int
    fingerprint: str
    """The model that made its vectors."""
    index: str
    """The kind that was asked for."""
    storage: str
    """Numbers that the index keeps in memory: `int8` is a quarter of `float32`, with exact scores from the store."""
    description: str | None
    created_at: str
    """ISO 8601, UTC."""
    count: int


@dataclass(frozen=True, slots=True)
class Upserted:
    """What a write did: `ids` in the order they were given."""

    ids: tuple[PointId, ...]
    inserted: int
    replaced: int
    skipped: int = 0
    """Points left as they were, because their id was there and the write said `skip`."""


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A file that holds a whole collection."""

    name: str
    bytes: int
    created_at: str
    """ISO 8601, UTC."""
    sha256: str
    count: int
