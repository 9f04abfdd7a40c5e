"""Snapshots of one collection, which Qdrant makes and keeps.

How many points one has is kept beside the facts of the collection, because Qdrant does not say; a snapshot that another
tool made has no such note and is left alone.
"""

from qdrant_client import models

from service.errors import InvalidInput, NotFound, Unavailable
from service.search.points import SnapshotInfo
from service.search.qdrant.connection import Place

NOTE = "mcse.snapshot."


def create(place: Place) -> SnapshotInfo:
    """Let Qdrant write one; in a cluster it has the shards of the node that was asked."""
    with place.calling() as client:
        count = client.count(place.name, exact=True).count
        made = client.create_snapshot(place.name, wait=True)
        if made is None:
            raise Unavailable("Qdrant made no snapshot; its log says why.")
        client.update_collection(place.name, metadata={NOTE + made.name: count})
    return _told(made, count)


def there(place: Place) -> list[SnapshotInfo]:
    """Those that this service made, oldest first."""
    with place.calling() as client:
        notes = client.get_collection(place.name).config.metadata or {}
        found = [each for each in client.list_snapshots(place.name) if NOTE + each.name in notes]
    return sorted(
        (_told(each, notes[NOTE + each.name]) for each in found), key=lambda each: (each.created_at, each.name)
    )


def delete(place: Place, name: str) -> None:
    """Delete one; raises NotFound."""
    if all(each.name != name for each in there(place)):
        raise missing()
    with place.calling() as client:
        client.delete_snapshot(place.name, name, wait=True)
        client.update_collection(place.name, metadata={NOTE + name: None})


def not_here() -> InvalidInput:
    """Why no file of a snapshot can be had or taken."""
    return InvalidInput(
        "The collections are in Qdrant, which keeps its snapshots itself: download and restore them with Qdrant's own "
        "API, as docs/scale.md shows."
    )


def missing() -> NotFound:
    """What is said of a snapshot that is not there."""
    return NotFound("There is no snapshot of that name; list them to see which there are.")


def _told(made: models.SnapshotDescription, count: int) -> SnapshotInfo:
    created = made.creation_time or ""
    return SnapshotInfo(
        name=made.name,
        bytes=made.size,
        created_at=f"{created.removesuffix('Z')}Z" if created else "",
        sha256=made.checksum or "",
        count=count,
    )
