"""How a point of ours lies in Qdrant: its key, its two vectors, its payload.

The payload has the caller's id as it came under `id`, the text under `text`, and all metadata below `metadata`, so no
field of a caller's ever meets one of ours.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray
from qdrant_client import models

from service.errors import InvalidInput
from service.search.points import Metadata, Point, PointId, StoredPoint, Vector
from service.search.qdrant.words import of_document
from service.search.store.rows import utf8

DENSE = "dense"
"""The name of the vector."""
WORDS = "words"
"""The name of the sparse vector of the words of the text."""

ID, TEXT, METADATA = "id", "text", "metadata"
"""Fields of a payload."""

NAMESPACE = uuid.UUID("0b6f7a52-1f0c-5d0e-9d3a-6d6373650001")  # of the keys that ids are mapped to; never change it

Key: TypeAlias = models.ExtendedPointId
"""What Qdrant calls an id: a whole number from 0, or a UUID."""


def key_of(point_id: PointId) -> Key:
    """Another key for every id.

    Numbers from 0 are their own keys. Other ids become UUIDs of version 5, made of the id with its type, so that no
    string meets a number or the UUID that it spells.
    """
    if isinstance(point_id, int) and point_id >= 0:
        return point_id
    return str(uuid.uuid5(NAMESPACE, f"{'text' if isinstance(point_id, str) else 'integer'}:{point_id}"))


def field(path: str) -> str:
    """Where the metadata field of this canonical path is in the payload."""
    return f"{METADATA}.{path}"


def structs(points: Sequence[Point], vectors: NDArray[np.float32]) -> list[models.PointStruct]:
    """`points`, whose checked vectors are the rows of `vectors` (n, width), as Qdrant takes them.

    Raises InvalidInput, which names the position of a point that cannot be kept.
    """
    return [
        _struct(position, point, vector)
        for position, (point, vector) in enumerate(zip(points, vectors.tolist(), strict=True))
    ]


def checked_metadata(metadata: Metadata, what: str) -> Metadata:
    """`metadata` as JSON would give it back; raises InvalidInput about `what`."""
    try:
        kept: Metadata = orjson.loads(orjson.dumps(metadata))
    except orjson.JSONEncodeError:
        raise InvalidInput(f"{what} cannot be written as JSON.") from None
    return kept


def stored(record: models.Record) -> StoredPoint:
    """The point of a record that was asked for with its payload and its vector."""
    payload = record.payload or {}
    return StoredPoint(payload[ID], vector_of(record.vector), payload.get(TEXT), payload.get(METADATA))


def vector_of(vector: object) -> Vector:
    """(width,) float32, from the vectors of a record or hit by name."""
    if not isinstance(vector, Mapping):
        raise TypeError("the point was asked for without its vector")
    return np.array(vector[DENSE], np.float32)


def _struct(position: int, point: Point, vector: list[float]) -> models.PointStruct:
    payload: dict[str, object] = {ID: point.id}
    vectors: dict[str, object] = {DENSE: vector}
    if point.text is not None:
        utf8(point.text, f"points[{position}]: the text")
        payload[TEXT] = point.text
        words = of_document(point.text)
        if words is not None:
            vectors[WORDS] = words
    if point.metadata is not None:
        payload[METADATA] = checked_metadata(point.metadata, f"points[{position}]: the metadata")
    return models.PointStruct(id=key_of(point.id), vector=vectors, payload=payload)
