"""Points by id, by selection, and page by page.

Qdrant keeps no order of writing: pages are in the order of Qdrant's ids, numbers first. A cursor holds the identity of
the collection and the first id of the next page.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

import orjson
from qdrant_client import models

from service.errors import InvalidInput
from service.search.points import Page, PointId, Selection, StoredPoint
from service.search.qdrant.connection import Place
from service.search.qdrant.filters import of_selection
from service.search.qdrant.layout import DENSE, Key, key_of, stored
from service.search.store import rows

LARGEST_KEY = 2**64 - 1


def get(place: Place, ids: Sequence[PointId]) -> list[StoredPoint]:
    """The points with these ids, in their order; missing ones are left out."""
    rows.check_ids(ids, "ids")
    keys = [key_of(point_id) for point_id in ids]
    with place.calling() as client:
        found = client.retrieve(place.name, list(dict.fromkeys(keys)), with_payload=True, with_vectors=[DENSE])
    by_key = {record.id: stored(record) for record in found}
    return [by_key[key] for key in keys if key in by_key]


def count(place: Place, selection: Selection | None) -> int:
    """How many points there are, each counted."""
    wanted = None if selection is None else of_selection(selection)
    with place.calling() as client:
        return client.count(place.name, count_filter=wanted, exact=True).count


def scroll(place: Place, identity: str, limit: int, cursor: str | None, selection: Selection | None) -> Page:
    """The next `limit` points. Raises InvalidInput for a cursor that this collection did not give out."""
    if limit < 1:
        raise InvalidInput(f"limit is {limit}; expected 1 or more.")
    offset = None if cursor is None else _read(cursor, identity)
    wanted = None if selection is None else of_selection(selection)
    with place.calling() as client:
        records, following = client.scroll(
            place.name, wanted, limit, offset=offset, with_payload=True, with_vectors=[DENSE]
        )
    return Page(tuple(map(stored, records)), None if following is None else _written(following, identity))


def _written(key: models.ExtendedPointId, identity: str) -> str:
    return urlsafe_b64encode(orjson.dumps([identity, key if isinstance(key, int) else str(key)])).decode()


def _read(cursor: str, identity: str) -> Key:
    try:
        found = orjson.loads(urlsafe_b64decode(cursor.encode()))
        given, key = found if isinstance(found, list) else (None, None)
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        given, key = None, None
    if given is None or not _is_key(key):
        raise InvalidInput("The cursor is none that a scroll gave out; start again without one.")
    if given != identity:
        raise InvalidInput("The cursor is one of another collection; start again without one.")
    return key if isinstance(key, int) else str(key)


def _is_key(key: object) -> bool:
    if isinstance(key, str):
        try:
            return str(UUID(key)) == key
        except ValueError:
            return False
    return type(key) is int and 0 <= key <= LARGEST_KEY
