"""What can be made again from the points and is kept in step with them: the table of fields and the tables of words.

Bits that change on the disk are found by the checksum of their page, as everywhere in the file. A table that has
another number of entries than its collection says is out of step: it is made again from the points when the store is
opened.
"""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from service.errors import Unavailable
from service.search.filters import fields
from service.search.store import catalog, wordtable
from service.search.store.rows import COLUMNS, NewRow, as_new, batched, intact, stored_entries


class Removed(NamedTuple):
    """What must be known of a deleted point to take it out of the tables."""

    row: int
    has_text: int
    metadata: bytes | None


class Sizes(NamedTuple):
    """How many texts and values there are of some points."""

    texts: int
    entries: int


def create(connection: apsw.Connection, number: int) -> None:
    """Make the tables of a new collection."""
    wordtable.create(connection, number)


def drop(connection: apsw.Connection, number: int) -> None:
    """Take away everything of a collection."""
    wordtable.drop(connection, number)
    fields.drop(connection, number)


def insert(connection: apsw.Connection, number: int, numbers: Sequence[int], rows: Sequence[NewRow]) -> Sizes:
    """Add points that the tables do not have, under their row numbers."""
    pairs = list(zip(numbers, rows, strict=True))
    texts = [(row, new.text) for row, new in pairs if new.text is not None]
    if texts:
        wordtable.insert(connection, number, texts)
    values = [(row, new.entries) for row, new in pairs if new.entries]
    if values:
        fields.insert(connection, number, values)
    return Sizes(len(texts), sum(len(entries) for _, entries in values))


def remove(connection: apsw.Connection, number: int, removed: Sequence[Removed]) -> Sizes:
    """Take points out; raises Unavailable for damaged metadata."""
    texts = [row for row, has_text, _ in removed if has_text]
    if texts:
        wordtable.remove(connection, number, texts)
    try:
        values = [(row, stored_entries(metadata)) for row, _, metadata in removed if metadata is not None]
    except ValueError:
        raise Unavailable("the metadata of a point is damaged") from None
    if values:
        fields.remove(connection, number, values)
    return Sizes(len(texts), sum(len(entries) for _, entries in values))


def out_of_step(connection: apsw.Connection) -> list[int]:
    """Numbers of the collections of which the tables have more or less than they should."""
    found: list[Any] = connection.execute("SELECT collection, count(*) FROM fields GROUP BY collection").fetchall()
    counted = dict(found)
    wanted: list[Any] = connection.execute("SELECT collection, texts, entries FROM collections").fetchall()
    return [
        number
        for number, texts, entries in wanted
        if (texts, entries) != (wordtable.count(connection, number), counted.get(number, 0))
    ]


def rebuild(connection: apsw.Connection, number: int) -> None:
    """Make the tables of a collection again from its points; raises Unavailable for a damaged one."""
    drop(connection, number)
    create(connection, number)
    select = f"SELECT {COLUMNS} FROM points WHERE collection = ? ORDER BY row"
    rows = intact(connection.execute(select, (number,)), catalog.made_with(connection, number).fingerprint)
    total = Sizes(0, 0)
    for chunk in batched(rows):
        added = insert(connection, number, [row[0] for row in chunk], [as_new(row) for row in chunk])
        total = Sizes(total.texts + added.texts, total.entries + added.entries)
    connection.execute("UPDATE collections SET texts = ?, entries = ? WHERE collection = ?", (*total, number))
