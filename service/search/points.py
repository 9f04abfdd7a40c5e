"""What goes into a collection and what comes out of it: plain frozen values, no behaviour."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

PointId: TypeAlias = str | int
"""The caller's own id; `1` and `"1"` are two different ids."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Metadata: TypeAlias = dict[str, Json]

Vector: TypeAlias = NDArray[np.float32]


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
    """One search result; a higher score is a better one, whatever the metric."""

    id: PointId
    score: float
    text: str | None
    metadata: Metadata | None


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
