"""Qdrant's indexes of payload fields: one is asked for when a filter first names the field.

Qdrant filters correctly without them, and slowly. A field keeps the index it has: only one fits it, and Qdrant would
drop the other.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress

from qdrant_client import models

from service.errors import ServiceError
from service.search.filters.model import Condition, Filter, MatchAny, MatchText, Range, TimeRange
from service.search.points import Selection
from service.search.qdrant.connection import Place
from service.search.qdrant.layout import field

KEYWORD, BOOL = models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.BOOL
FLOAT, DATETIME = models.PayloadSchemaType.FLOAT, models.PayloadSchemaType.DATETIME
TEXT = models.TextIndexParams(type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True)


class FieldIndexes:
    """The fields of one collection that have an index, as far as this process knows. Any thread may call `want`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._known: set[str] | None = None

    def want(self, *filters: Filter | None) -> None:
        """See that every field that these filters name has an index or is getting one.

        Where Qdrant refuses to make one, the filter works without.
        """
        wanted = {key: kind for each in filters for key, kind in _kinds(each)}
        if self._known is not None and wanted.keys() <= self._known:
            return
        with self._lock, suppress(ServiceError):
            for key, kind in wanted.items():
                self._make(key, kind)

    def _make(self, key: str, kind: models.PayloadFieldSchema) -> None:
        with self._place.calling() as client:
            if self._known is None:
                self._known = set(client.get_collection(self._place.name).payload_schema)
            if key in self._known:
                return
            self._known.add(key)
            # Before a text has its index, an older Qdrant looks for the words as one piece: that one is waited for.
            client.create_payload_index(self._place.name, key, kind, wait=kind is TEXT)


def of_selection(selection: Selection | None) -> Filter | None:
    """The filter of a selection."""
    return None if selection is None else selection.filter


def _kinds(condition: "Condition | None") -> Iterator[tuple[str, models.PayloadFieldSchema]]:
    if isinstance(condition, Filter):
        for each in (*condition.must, *condition.should, *condition.must_not):
            yield from _kinds(each)
    elif isinstance(condition, MatchAny):
        yield from ((field(condition.key), kind) for kind in _of_values(condition.values))
    elif isinstance(condition, Range):
        yield field(condition.key), FLOAT
    elif isinstance(condition, TimeRange):
        yield field(condition.key), DATETIME
    elif isinstance(condition, MatchText):
        yield field(condition.key), TEXT


def _of_values(values: Iterable[object]) -> Iterator[models.PayloadSchemaType]:
    for value in values:
        yield KEYWORD if isinstance(value, str) else BOOL if isinstance(value, bool) else FLOAT
