"""What a service says of itself and of a collection, as far as a command must know it."""

from dataclasses import dataclass
from typing import Any

import orjson

from service.commands.client import Client, collection_path
from service.commands.errors import Refused

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Service:
    """A service's model and limits."""

    fingerprint: str
    version: str
    points: int
    """Most points in a write, and ids in a read."""
    body_bytes: int
    characters: int
    metadata_bytes: int
    page: int
    """Most points in a page of a scroll."""

    @classmethod
    def of(cls, client: Client) -> "Service":
        """Ask for it."""
        info = client.call("GET", "/info")
        limits = info["limits"]
        return cls(
            fingerprint=info["model"]["fingerprint"],
            version=info["version"],
            points=limits["points_per_request"],
            body_bytes=limits["body_bytes"],
            characters=limits["characters"],
            metadata_bytes=limits["metadata_bytes"],
            page=limits["hits"],
        )

    def fault_of(self, point: dict[str, Any], dimension: int) -> str | None:
        """Why the service would refuse this point for its size, or None: so that no other point is sent in vain."""
        text, vector, metadata = point.get("text"), point.get("vector"), point.get("metadata")
        if text is not None and len(text) > self.characters:
            return f"The text has {len(text)} characters; the limit is {self.characters}. Split it."
        if vector is not None and len(vector) != dimension:
            return f"The vector has {len(vector)} numbers; the collection's dimension is {dimension}."
        try:
            size = len(orjson.dumps(metadata)) if metadata else 0
        except orjson.JSONEncodeError:
            return "The metadata cannot be written as JSON; it is nested too deep."
        if size > self.metadata_bytes:
            return f"The metadata has {size} bytes as JSON; the limit is {self.metadata_bytes}."
        return None


def description_of(client: Client, name: str) -> dict[str, Any] | None:
    """What GET /collections/{name} answers; None where there is none of this name. Raises Refused."""
    try:
        return client.call("GET", collection_path(name))
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
