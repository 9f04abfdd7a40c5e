"""Values of the search room as they stand in answers."""

from dataclasses import asdict
from typing import Any, Protocol

from service.search.points import CollectionInfo, Group, Hit, StoredPoint


class Parts(Protocol):
    """A request that says which parts of a point to answer with."""

    @property
    def with_text(self) -> bool: ...
    @property
    def with_metadata(self) -> bool: ...
    @property
    def with_vector(self) -> bool: ...


def collection_shape(info: CollectionInfo) -> dict[str, Any]:
    """A collection, without the state of its index."""
    fields = asdict(info)
    fields["model_fingerprint"] = fields.pop("fingerprint")
    return fields


def point_shape(point: StoredPoint, parts: Parts) -> dict[str, Any]:
    """A stored point."""
    return {"id": point.id, **_parts(point, parts)}


def hit_shape(hit: Hit, parts: Parts, *, hybrid: bool) -> dict[str, Any]:
    """A hit; one of a hybrid search tells the scores of both."""
    scores = {"dense_score": hit.dense_score, "lexical_score": hit.lexical_score} if hybrid else {}
    return {"id": hit.id, "score": hit.score, **_parts(hit, parts), **scores}


def group_shape(group: Group, parts: Parts, *, hybrid: bool) -> dict[str, Any]:
    """The hits of a group."""
    return {"value": group.value, "hits": [hit_shape(hit, parts, hybrid=hybrid) for hit in group.hits]}


def _parts(found: StoredPoint | Hit, parts: Parts) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if parts.with_text:
        fields["text"] = found.text
    if parts.with_metadata:
        fields["metadata"] = found.metadata or {}
    if parts.with_vector:
        fields["vector"] = found.vector
    return fields
