"""The place where a scroll goes on, as a word that callers hand back."""

import base64
import binascii
import hashlib
import struct

from service.errors import InvalidInput

_SHAPE = struct.Struct("<Qq8s")


def encode(owner: str, number: int, row: int) -> str:
    """The cursor behind `row` in collection `number` of the store `owner`."""
    packed = _SHAPE.pack(number, row, _proof(owner, number, row))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(cursor: str, owner: str, number: int) -> int:
    """The row; raises InvalidInput for a cursor that this collection did not give out."""
    try:
        found, row, proof = _SHAPE.unpack(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, struct.error):
        raise InvalidInput("The cursor is not one of this service; send `next_cursor` of the page before.") from None
    if found != number or proof != _proof(owner, number, row):
        raise InvalidInput("The cursor is of another collection; start without one.")
    return int(row)


def _proof(owner: str, number: int, row: int) -> bytes:
    return hashlib.blake2b(f"{owner} {number} {row}".encode(), digest_size=8).digest()
