"""All points of a collection, a page at a time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from service.commands.client import Client, collection_path

MOST_WITH_VECTORS = 256  # points: a page of wide vectors is some megabytes


class Page(NamedTuple):
    """Some points as the API has them, in the order of writing."""

    points: list[dict[str, Any]]
    next_cursor: str | None
    """Where to go on; None after the last page."""


def pages(
    client: Client,
    collection: str,
    *,
    limit: int,
    cursor: str | None = None,
    filter: dict[str, Any] | None = None,
    with_payload: bool = True,
    with_vector: bool = False,
) -> Iterator[Page]:
    """The pages from `cursor` on; `with_payload` is text and metadata. Raises Refused and Unreachable."""
    path = collection_path(collection, "/points/scroll")
    asked = {
        "limit": min(limit, MOST_WITH_VECTORS) if with_vector else limit,
        "filter": filter,
        "with_text": with_payload,
        "with_metadata": with_payload,
        "with_vector": with_vector,
    }
    while True:
        answer = client.call("POST", path, {**asked, "cursor": cursor})
        cursor = answer["next_cursor"]
        yield Page(answer["points"], cursor)
        if cursor is None:
            return


def count_of(client: Client, collection: str, filter: dict[str, Any] | None = None) -> int:
    """How many points there are, or how many a filter lets through."""
    answer = client.call("POST", collection_path(collection, "/count"), {"filter": filter})
    return int(answer["count"])
