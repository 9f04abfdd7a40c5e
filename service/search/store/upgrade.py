"""A store of version 1 is read and written into the tables of this version."""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

from collections.abc import Iterator, Mapping
from typing import Any

import apsw

from service.errors import Unavailable
from service.search.points import CollectionInfo
from service.search.store import catalog, reading, writing
from service.search.store.rows import COLUMNS, Row, as_new, batched, digest_of, intact

# What a collection of version 1 was, without saying so: searched exactly, in float32.
INDEX, STORAGE = "flat", "float32"


def copy(old: apsw.Connection, new: apsw.Connection) -> None:
    """Write all of `old` into the empty tables of `new`, in one transaction; numbers stay as they are.

    Raises Unavailable at the first damage.
    """
    new.execute("BEGIN IMMEDIATE")
    infos = dict(_collections(old))
    for number, info in infos.items():
        writing.create(new, info, number)
    for chunk in batched(old.execute(f"SELECT {COLUMNS} FROM points ORDER BY row")):
        _copy_rows(new, chunk, infos)
    for number, info in infos.items():
        reading.require_count(info, catalog.number_of(new, number, "live_count"))
    new.execute("DELETE FROM sqlite_sequence")
    new.executemany(
        "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", old.execute("SELECT name, seq FROM sqlite_sequence")
    )
    new.execute("COMMIT")


def _copy_rows(new: apsw.Connection, rows: list[Row], infos: Mapping[int, CollectionInfo]) -> None:
    for number in dict.fromkeys(row[1] for row in rows):
        members = [row for row in rows if row[1] == number]
        if number not in infos:
            raise Unavailable(f"row {members[0][0]} is damaged")
        points = [as_new(row) for row in intact(members, infos[number].fingerprint.encode())]
        writing.insert_as(new, number, [row[0] for row in members], points)


def _collections(old: apsw.Connection) -> Iterator[tuple[int, CollectionInfo]]:
    found: list[Any] = old.execute(
        "SELECT collection, name, space, metric, dimension, fingerprint, description, created_at, digest, live_count"
        " FROM collections ORDER BY collection"
    ).fetchall()
    for number, name, space, metric, dimension, fingerprint, description, created_at, digest, count in found:
        texts = (name, space, metric, str(dimension), fingerprint, created_at)
        about = None if description is None else description.encode()
        if digest != digest_of(*(text.encode() for text in texts), about):
            raise Unavailable(f"collection number {number} is damaged")
        yield (
            number,
            CollectionInfo(name, space, metric, dimension, fingerprint, INDEX, STORAGE, description, created_at, count),
        )
