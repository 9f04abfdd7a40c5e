"""Changes of points' metadata in Qdrant.

Qdrant sets and deletes fields by itself, but takes null for "delete this field" and has no path for a key with a quote
in it; then the metadata is read, changed here and written back, some points at a time.
"""

from collections.abc import Callable, Iterator, Sequence

from qdrant_client import models

from service.search.filters.paths import joined
from service.search.points import Metadata
from service.search.qdrant.connection import Place, require_done
from service.search.qdrant.filters import has_keys
from service.search.qdrant.layout import METADATA, Key, field

STRONG = models.WriteOrdering.STRONG
BLOCK = 256  # points that are read and written back at one time


def set_fields(place: Place, wanted: models.Filter, metadata: Metadata) -> int:
    """Set these fields and leave the others; returns how many points there were."""
    if any(value is None for value in metadata.values()):
        return _rewrite(place, wanted, lambda old: {**(old or {}), **metadata})
    with place.calling() as client:
        count = client.count(place.name, count_filter=wanted, exact=True).count
        if count:
            selector = models.FilterSelector(filter=wanted)
            require_done(client.set_payload(place.name, metadata, selector, METADATA, wait=True, ordering=STRONG))
    return count


def delete_fields(place: Place, wanted: models.Filter, keys: Sequence[str]) -> int:
    """Delete these top-level fields; returns how many points there were."""
    paths = [joined("", key) for key in keys]
    if None in paths:
        gone = frozenset(keys)
        return _rewrite(place, wanted, lambda old: old and {key: old[key] for key in old if key not in gone})
    with place.calling() as client:
        count = client.count(place.name, count_filter=wanted, exact=True).count
        if count and paths:
            selector = models.FilterSelector(filter=wanted)
            names = [field(path) for path in paths if path is not None]
            require_done(client.delete_payload(place.name, names, selector, wait=True, ordering=STRONG))
    return count


def _rewrite(place: Place, wanted: models.Filter, change: Callable[[Metadata | None], Metadata | None]) -> int:
    count = 0
    for records in _blocks(place, wanted):
        count += len(records)
        changes = [(record.id, change((record.payload or {}).get(METADATA))) for record in records]
        operations = [_replaced(key, metadata) for key, metadata in changes if metadata is not None]
        if operations:
            with place.calling() as client:
                require_done(*client.batch_update_points(place.name, operations, wait=True, ordering=STRONG))
    return count


def _blocks(place: Place, wanted: models.Filter) -> Iterator[list[models.Record]]:
    offset: Key | None = None
    while True:
        with place.calling() as client:
            records, following = client.scroll(
                place.name, wanted, BLOCK, offset=offset, with_payload=[METADATA], with_vectors=False
            )
        yield records
        if following is None:
            return
        offset = following


def _replaced(key: Key, metadata: Metadata) -> models.SetPayloadOperation:
    """By a filter, since a point that is gone meanwhile must not fail the others."""
    return models.SetPayloadOperation(
        set_payload=models.SetPayload(payload={METADATA: metadata}, filter=has_keys([key]))
    )
