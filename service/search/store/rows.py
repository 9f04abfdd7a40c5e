"""How a point becomes a row of the store and back, and the digest that tells a damaged row from a good one."""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import InvalidInput, Unavailable
from service.search.filters.entries import Entry, entries
from service.search.points import Metadata, Point, PointId, StoredPoint

DIGEST_BYTES = 16
FLOAT32 = np.dtype("<f4")  # little-endian on every machine, so that a data directory can move
INT64 = np.iinfo(np.int64)  # the integers SQLite can hold
PARTS = 6  # of a row's digest
CHUNK = 1_000  # rows in memory at a time where there are many

T = TypeVar("T")


class NewRow(NamedTuple):
    """A row to insert: what is bound, but for its number, which the store gives, and its values for the filters."""

    id: PointId
    text: str | None
    vector: bytes
    metadata: str | None
    digest: bytes
    entries: Sequence[Entry] = ()


Row: TypeAlias = tuple[int, int, str, bytes, bytes | None, bytes, bytes | None, bytes]
"""A row as COLUMNS reads it: number, collection, type of the id, id, text, vector, metadata, digest. Texts are still
bytes, because damaged ones may not decode. No NamedTuple: making one takes as long as reading the row."""

COLUMNS = (
    "row, collection, typeof(id), CAST(id AS BLOB), CAST(text AS BLOB), CAST(vector AS BLOB), CAST(metadata AS BLOB),"
    " digest"
)


def pack(points: Sequence[Point], vectors: NDArray[np.float32], fingerprint: str) -> list[NewRow]:
    """Rows for `points`, whose checked vectors are the rows of `vectors` (n, width).

    Raises InvalidInput, which names the position of a point that cannot be kept.
    """
    check_ids([point.id for point in points], "points")
    model, numbers = fingerprint.encode(), np.ascontiguousarray(vectors, FLOAT32)
    return [
        _pack(position, point, vector.tobytes(), model)
        for position, (point, vector) in enumerate(zip(points, numbers, strict=True))
    ]


def _pack(position: int, point: Point, vector: bytes, fingerprint: bytes) -> NewRow:
    text = None if point.text is None else utf8(point.text, f"points[{position}]: the text")
    metadata = None if point.metadata is None else _json(point.metadata, f"points[{position}]")
    digest = digest_of_row(fingerprint, *_typed(point.id), text, vector, metadata)
    values = _entries(point.metadata, f"points[{position}]") if point.metadata else ()
    return NewRow(point.id, point.text, vector, None if metadata is None else metadata.decode(), digest, values)


def with_metadata(row: Row, metadata: Metadata, fingerprint: bytes) -> NewRow:
    """The row with other metadata; raises InvalidInput for what cannot be kept."""
    _, _, kind, point_id, text, vector, _, _ = row
    packed = _json(metadata, "The new metadata")
    digest = digest_of_row(fingerprint, kind.encode(), point_id, text, vector, packed)
    values = _entries(metadata, "The new metadata")
    return NewRow(id_of(kind, point_id), _decoded(text), vector, packed.decode(), digest, values)


def as_new(row: Row) -> NewRow:
    """The row, intact, as it would be inserted once more."""
    _, _, kind, point_id, text, vector, metadata, digest = row
    values = stored_entries(metadata)
    return NewRow(id_of(kind, point_id), _decoded(text), vector, _decoded(metadata), digest, values)


def stored_entries(metadata: bytes | None) -> Sequence[Entry]:
    """The values of metadata that was written already; raises ValueError if it is damaged."""
    if metadata is None:
        return ()
    loaded = orjson.loads(metadata)
    if not isinstance(loaded, dict):
        raise ValueError("metadata is an object")
    return entries(loaded, most=math.inf)


def intact(rows: Iterable[Any], fingerprint: bytes) -> Iterator[Row]:
    """The rows, each one checked: a disk can change a byte without anyone noticing. Raises Unavailable."""
    for row in rows:
        number, _, kind, point_id, text, vector, metadata, digest = row
        try:
            expected = digest_of_row(fingerprint, kind.encode(), point_id, text, vector, metadata)
        except TypeError:  # NULL in the place of an id or a vector
            expected = b""
        if digest != expected:
            raise Unavailable(f"row {number} is damaged")
        yield row


def batched(rows: Iterable[T]) -> Iterator[list[T]]:
    """CHUNK of them at a time."""
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def unpack(row: Row) -> StoredPoint:
    """The point of an intact row."""
    _, _, kind, point_id, text, vector, metadata, _ = row
    return StoredPoint(
        id_of(kind, point_id),
        np.frombuffer(vector, FLOAT32),
        None if text is None else text.decode(),
        None if metadata is None else orjson.loads(metadata),
    )


def id_of(kind: str, point_id: bytes) -> PointId:
    """The id of an intact row, from SQLite's name of its type and from its text."""
    return int(point_id) if kind == "integer" else point_id.decode()


_row_head = struct.Struct(f"<{PARTS + 1}q").pack


def digest_of_row(
    fingerprint: bytes, kind: bytes, point_id: bytes, text: bytes | None, vector: bytes, metadata: bytes | None
) -> bytes:
    """`digest_of` these six parts, in a third of the time: it is on the way of every row that is read or written."""
    text_length, text = (-1, b"") if text is None else (len(text), text)
    metadata_length, metadata = (-1, b"") if metadata is None else (len(metadata), metadata)
    head = _row_head(PARTS, len(fingerprint), len(kind), len(point_id), text_length, len(vector), metadata_length)
    parts = b"".join((head, fingerprint, kind, point_id, text, vector, metadata))
    return blake2b(parts, digest_size=DIGEST_BYTES).digest()


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


def utf8(text: str, what: str) -> bytes:
    """`text` as bytes; raises InvalidInput about `what` for half a surrogate pair, which no file can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} has half a surrogate pair; expected whole Unicode characters.") from None


def _typed(point_id: PointId) -> tuple[bytes, bytes]:
    """What SQLite's `typeof` says of the id, and the id as text."""
    return (b"text", point_id.encode()) if isinstance(point_id, str) else (b"integer", b"%d" % point_id)


def _decoded(text: bytes | None) -> str | None:
    return None if text is None else text.decode()


def _json(metadata: object, what: str) -> bytes:
    try:
        return orjson.dumps(metadata)
    except orjson.JSONEncodeError:
        raise InvalidInput(f"{what}: the metadata cannot be written as JSON.") from None


def _entries(metadata: Metadata, what: str) -> Sequence[Entry]:
    try:
        return entries(metadata)
    except InvalidInput as refusal:
        raise InvalidInput(f"{what}: {refusal.message[0].lower()}{refusal.message[1:]}") from None
