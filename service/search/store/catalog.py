"""The tables of collections and aliases: what there is, and how much of it."""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

from typing import Any, NamedTuple

import apsw

from service.errors import NotFound, StorageFull, Unavailable
from service.search.points import CollectionInfo
from service.search.store.rows import digest_of


class Made(NamedTuple):
    """What its rows must know of a collection; it never changes."""

    fingerprint: bytes
    """Goes into their digests."""
    width: int


INFO = (
    "name, space, metric, dimension, fingerprint, kind, storage, description, created_at, live_count, collection,"
    " digest"
)


def create(connection: apsw.Connection, info: CollectionInfo, number: int | None = None) -> int:
    """Keep a new, empty collection, whose name must be free, under this number or the next one; returns the number."""
    given: int = connection.execute(
        "INSERT INTO collections (collection, name, space, metric, dimension, fingerprint, kind, storage, description,"
        " created_at, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING collection",
        (number, *values_of(info), digest_of_collection(info)),
    ).get
    return given


def values_of(info: CollectionInfo) -> tuple[str | int | None, ...]:
    """What is bound for a collection, but for its number, count and digest."""
    return (
        info.name,
        info.space,
        info.metric,
        info.dimension,
        info.fingerprint,
        info.index,
        info.storage,
        info.description,
        info.created_at,
    )


def collections(connection: apsw.Connection) -> dict[int, CollectionInfo]:
    """All collections by number, oldest first; raises Unavailable for a damaged one."""
    found: list[Any] = connection.execute(f"SELECT {INFO} FROM collections ORDER BY collection").fetchall()
    infos = {}
    for *fields, number, digest in found:
        infos[number] = CollectionInfo(*fields)
        if digest != digest_of_collection(infos[number]):
            raise Unavailable(f"collection number {number} is damaged")
    return infos


def collection(connection: apsw.Connection, number: int) -> CollectionInfo:
    """One of them; raises NotFound."""
    found = collections(connection).get(number)
    if found is None:
        raise NotFound("The collection was dropped.")
    return found


def made_with(connection: apsw.Connection, number: int) -> Made:
    """Of a collection; without width and fingerprint if it was dropped."""
    found: Any = connection.execute(
        "SELECT fingerprint, dimension FROM collections WHERE collection = ?", (number,)
    ).fetchone()
    return Made(found[0].encode(), found[1]) if found else Made(b"", 0)


def number_of(connection: apsw.Connection, number: int, column: str) -> int:
    """What a column of numbers says of a collection; 0 for one that was dropped."""
    found: int | None = connection.execute(f"SELECT {column} FROM collections WHERE collection = ?", (number,)).get
    return found or 0


def record_index(connection: apsw.Connection, number: int, token: str | None) -> None:
    """Remember the token of the index file that belongs to a collection."""
    connection.execute("UPDATE collections SET index_token = ? WHERE collection = ?", (token, number))


def recorded_index(connection: apsw.Connection, number: int) -> str | None:
    """The token of the index file that belongs to a collection."""
    found: str | None = connection.execute("SELECT index_token FROM collections WHERE collection = ?", (number,)).get
    return found


def drop(connection: apsw.Connection, number: int) -> None:
    """Delete a collection without points, and its aliases."""
    connection.execute("DELETE FROM aliases WHERE collection = ?", (number,))
    connection.execute("DELETE FROM collections WHERE collection = ?", (number,))


def aliases(connection: apsw.Connection) -> dict[str, int]:
    """Alias -> number of its collection."""
    found: list[Any] = connection.execute("SELECT alias, collection FROM aliases ORDER BY alias").fetchall()
    return dict(found)


def set_alias(connection: apsw.Connection, alias: str, number: int) -> None:
    """Let `alias` stand for the collection from now on; raises NotFound."""
    if connection.execute("SELECT 1 FROM collections WHERE collection = ?", (number,)).get is None:
        raise NotFound("The collection was dropped.")
    connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, number))


def delete_alias(connection: apsw.Connection, alias: str) -> bool:
    """Whether there was one."""
    connection.execute("DELETE FROM aliases WHERE alias = ?", (alias,))
    return connection.changes() > 0


def record_change(connection: apsw.Connection, number: int, *, points: int, texts: int, entries: int) -> None:
    """Count what a write added; what it took away is below 0."""
    connection.execute(
        "UPDATE collections SET live_count = live_count + ?, texts = texts + ?, entries = entries + ?,"
        " last_change = last_change + 1 WHERE collection = ?",
        (points, texts, entries, number),
    )


def require_room(connection: apsw.Connection, max_points: int) -> None:
    """Raise StorageFull if all collections together have more than `max_points` points."""
    total = connection.execute("SELECT sum(live_count) FROM collections").get
    if total > max_points:
        raise StorageFull(
            f"The store would have {total} points, over its limit of {max_points}; delete some, or raise max_points."
        )


def digest_of_collection(info: CollectionInfo) -> bytes:
    """The digest over all that is said of a collection but its count."""
    fields = (
        info.name,
        info.space,
        info.metric,
        str(info.dimension),
        info.fingerprint,
        info.index,
        info.storage,
        info.created_at,
    )
    description = None if info.description is None else info.description.encode()
    return digest_of(*(field.encode() for field in fields), description)
