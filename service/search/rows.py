"""How a point becomes a row of the store and back, and the digest that tells a damaged row from a good one."""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.search.points import Point, PointId, StoredPoint

DIGEST_BYTES = 16
FLOAT32 = np.dtype("<f4")  # little-endian on every machine, so that a data directory can move
INT64 = np.iinfo(np.int64)  # the integers SQLite can hold


class NewRow(NamedTuple):
    """A row to insert, as it is bound; its number is given by the store."""

    id: PointId
    text: str | None
    vector: bytes
    metadata: str | None
    digest: bytes


class Row(NamedTuple):
    """A row as it was read. Texts are still bytes, because damaged ones may not decode."""

    row: int
    collection: int
    id_type: str
    id: bytes
    text: bytes | None
    vector: bytes
    metadata: bytes | None
    digest: bytes
    fingerprint: bytes | None
    """Of the collection; None if the row belongs to none."""


SELECT_ROWS = """
    SELECT row, collection, typeof(id), CAST(id AS BLOB), CAST(text AS BLOB), CAST(vector AS BLOB),
        CAST(metadata AS BLOB), points.digest, CAST(fingerprint AS BLOB)
    FROM points LEFT JOIN collections USING (collection)
"""


def pack(points: Sequence[Point], vectors: NDArray[np.float32], fingerprint: str) -> list[NewRow]:
    """Rows for `points`, whose checked vectors are the rows of `vectors` (n, width).

    Raises InvalidInput, which names the position of a point that cannot be kept.
    """
    check_ids([point.id for point in points], "points")
    return [
        _pack(position, point, vector.astype(FLOAT32).tobytes(), fingerprint)
        for position, (point, vector) in enumerate(zip(points, vectors, strict=True))
    ]


def _pack(position: int, point: Point, vector: bytes, fingerprint: str) -> NewRow:
    text = None if point.text is None else utf8(point.text, f"points[{position}]: the text")
    metadata = None if point.metadata is None else _json(point.metadata, position)
    digest = digest_of(
        fingerprint.encode(), _type_of(point.id).encode(), str(point.id).encode(), text, vector, metadata
    )
    return NewRow(point.id, point.text, vector, None if metadata is None else metadata.decode(), digest)


def is_intact(row: Row) -> bool:
    """Whether the row still is what was written, and in a collection of the same model."""
    return row.digest == digest_of(row.fingerprint, row.id_type.encode(), row.id, row.text, row.vector, row.metadata)


def unpack(row: Row) -> StoredPoint:
    """The point of an intact row."""
    point_id = row.id.decode()
    return StoredPoint(
        id=int(point_id) if row.id_type == "integer" else point_id,
        vector=np.frombuffer(row.vector, FLOAT32),
        text=None if row.text is None else row.text.decode(),
        metadata=None if row.metadata is None else orjson.loads(row.metadata),
    )


def digest_of(*parts: bytes | None) -> bytes:
    """16 bytes of BLAKE2b; the number of parts and their lengths go first, so that no two lists look the same."""
    lengths = [-1 if part is None else len(part) for part in parts]
    head = struct.pack(f"<{len(parts) + 1}q", len(parts), *lengths)
    return blake2b(b"".join([head, *filter(None, parts)]), digest_size=DIGEST_BYTES).digest()


def check_ids(ids: Sequence[PointId], what: str) -> None:
    """Raise InvalidInput for an id that SQLite cannot hold, naming its position as `what[position]`."""
    for position, point_id in enumerate(ids):
        if isinstance(point_id, str):
            utf8(point_id, f"{what}[{position}]: the id")
        elif type(point_id) is not int or not INT64.min <= point_id <= INT64.max:
            raise InvalidInput(f"{what}[{position}]: the id is not a string or a whole number of 64 bits with sign.")


def _type_of(point_id: PointId) -> str:
    """What SQLite's `typeof` says of the id."""
    return "text" if isinstance(point_id, str) else "integer"


def utf8(text: str, what: str) -> bytes:
    """`text` as bytes; raises InvalidInput about `what` for half a surrogate pair, which no file can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} has half a surrogate pair; expected whole Unicode characters.") from None


def _json(metadata: object, position: int) -> bytes:
    try:
        return orjson.dumps(metadata)
    except orjson.JSONEncodeError:
        raise InvalidInput(f"points[{position}]: the metadata cannot be written as JSON.") from None
