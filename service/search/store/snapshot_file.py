"""A whole collection in one file that proves itself: an SQLite file of its own, with a digest over everything in it."""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

import apsw
import numpy as np

from models.files import sync_directory
from service.errors import InvalidInput, Unavailable
from service.search import vectors
from service.search.points import CollectionInfo, IndexKind, Metric, Storage
from service.search.store import catalog, reading
from service.search.store.database import connect, connect_unchanging
from service.search.store.rows import COLUMNS, DIGEST_BYTES, FLOAT32, NewRow, Row, as_new, batched, intact

APPLICATION_ID = 0x6D637373  # "mcss"
VERSION = 1

TABLES = (
    "CREATE TABLE collection (name TEXT, space TEXT, metric TEXT, dimension INTEGER, fingerprint TEXT, kind TEXT,"
    " storage TEXT, description TEXT, created_at TEXT, live_count INTEGER, digest BLOB, whole BLOB) STRICT",
    "CREATE TABLE points (row INTEGER PRIMARY KEY, id ANY, text TEXT, vector BLOB, metadata TEXT, digest BLOB) STRICT",
)
INSERT = "INSERT INTO points (id, text, vector, metadata, digest) VALUES (?, ?, ?, ?, ?)"
SELECT = f"SELECT {COLUMNS} FROM points, (SELECT 1 AS collection) ORDER BY row"
MOST = (vectors.MOST_WIDTH, np.iinfo(np.int64).max)  # dimension and number of points
CHOICES = {"metric": get_args(Metric), "index": get_args(IndexKind), "storage": get_args(Storage)}


class Whole:
    """The digest over a collection and all its rows in order."""

    def __init__(self, info: CollectionInfo) -> None:
        self._digest = blake2b(catalog.digest_of_collection(info), digest_size=DIGEST_BYTES)
        self.count = 0

    def update(self, rows: list[Row]) -> None:
        """Take the next rows in."""
        self._digest.update(b"".join([row[7] for row in rows]))
        self.count += len(rows)

    def digest(self) -> bytes:
        """Of all that came."""
        return self._digest.digest()


def write(connection: apsw.Connection, number: int, path: Path) -> int:
    """Write the collection, as `connection` sees it, to the file `path`, which is whole or not there.

    Returns how many points there are. Raises NotFound, and Unavailable for a damaged point.
    """
    info = catalog.collection(connection, number)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(connect(unfinished, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)) as target:
            _write_file(connection, number, info, target)
        _rename_durably(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return info.count


def _write_file(connection: apsw.Connection, number: int, info: CollectionInfo, target: apsw.Connection) -> None:
    target.pragma("journal_mode", "off")  # a file that was not finished is thrown away
    target.pragma("synchronous", "off")  # it is synced once, before it gets its name
    target.execute("BEGIN")
    target.pragma("application_id", APPLICATION_ID)
    target.pragma("user_version", VERSION)
    for table in TABLES:
        target.execute(table)
    _write_content(connection, number, info, target)
    target.execute("COMMIT")


def _rename_durably(unfinished: Path, path: Path) -> None:
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)


def _write_content(connection: apsw.Connection, number: int, info: CollectionInfo, target: apsw.Connection) -> None:
    whole = Whole(info)
    select = f"SELECT {COLUMNS} FROM points WHERE collection = ? ORDER BY row"
    rows = intact(connection.execute(select, (number,)), info.fingerprint.encode())
    for chunk in batched(rows):
        target.executemany(INSERT, [as_new(row)[:5] for row in chunk])
        whole.update(chunk)
    reading.require_count(info, whole.count)
    values = (*catalog.values_of(info), info.count, catalog.digest_of_collection(info), whole.digest())
    target.execute(f"INSERT INTO collection VALUES ({', '.join('?' * len(values))})", values)


@contextmanager
def opened(path: Path) -> Iterator[tuple[CollectionInfo, Iterator[NewRow]]]:
    """The collection in a snapshot file, and its points in the order of writing.

    What the points say is true only when the last one was read: until then the file may turn out damaged. Raises
    InvalidInput for a file that is damaged, newer, or no snapshot; so does the iterator.
    """
    if not path.is_file():
        raise _damaged("no file")
    with _refusing_damage():
        source = connect_unchanging(path)
    with closing(source):
        with _refusing_damage():
            info, whole = _info(source)
        yield info, _points(source, info, whole)


@contextmanager
def _refusing_damage() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        raise _damaged(error.message) from None
    except (apsw.Error, ValueError, RecursionError) as error:
        raise _damaged(type(error).__name__) from error


def _damaged(what: str) -> InvalidInput:
    return InvalidInput(f"The snapshot is damaged, or is none ({what}); expected a file that this service wrote.")


def _info(source: apsw.Connection) -> tuple[CollectionInfo, bytes]:
    """What the file says of the collection, and the digest over all; raises InvalidInput."""
    if source.pragma("application_id") != APPLICATION_ID:
        raise _damaged("another kind of file")
    if source.pragma("user_version") > VERSION:
        raise InvalidInput("The snapshot was written by a newer mcse; start that one to restore it.")
    # Nothing else is run: a view in the place of a table could keep us busy for ever.
    if source.execute("SELECT sql FROM sqlite_schema").fetchall() != [(table,) for table in TABLES]:
        raise _damaged("other tables")
    found: Any = source.execute("SELECT * FROM collection").fetchone()
    *values, digest, whole = found or [None] * 12
    info = CollectionInfo(*values)
    if not _is_possible(info) or digest != catalog.digest_of_collection(info):
        raise _damaged("the description of the collection")
    return info, whole


def _is_possible(info: CollectionInfo) -> bool:
    texts = (info.name, info.space, info.fingerprint, info.created_at, info.description or "")
    numbers = (info.dimension, info.count)
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) and 0 <= number <= most for number, most in zip(numbers, MOST, strict=True))
        and info.dimension > 0
        and all(getattr(info, field) in choices for field, choices in CHOICES.items())
    )


def _points(source: apsw.Connection, info: CollectionInfo, whole: bytes) -> Iterator[NewRow]:
    seen = Whole(info)
    with _refusing_damage():
        for chunk in batched(intact(source.execute(SELECT), info.fingerprint.encode())):
            _require_vectors([row[5] for row in chunk], info.dimension)
            seen.update(chunk)
            if seen.count > info.count:
                break
            yield from map(as_new, chunk)
        if (seen.count, seen.digest()) != (info.count, whole):
            raise _damaged("points are missing or in another order")


def _require_vectors(found: list[bytes], width: int) -> None:
    """A file that somebody else made up may have right digests over wrong vectors. Raises ValueError, InvalidInput."""
    vectors.require(np.frombuffer(b"".join(found), FLOAT32).reshape(len(found), width), width, "the snapshot")
