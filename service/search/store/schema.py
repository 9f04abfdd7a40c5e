"""The tables of the store and their version."""

import re
import secrets
from functools import cache
from pathlib import Path

import apsw

from service.errors import StoreError
from service.search.filters.fields import FIELDS
from service.search.store import wordtable

APPLICATION_ID = 0x6D637365  # "mcse": tells our file from any other SQLite file
VERSION = 2
OLDEST = 1  # that can be copied into a file of this version

# AUTOINCREMENT never gives a row number twice, so an old number can never mean a new point. STRICT with ANY keeps an id
# as the type it came in: 1 and '1' are two ids. `texts` and `entries` count what the table of words and that of fields
# must have of a collection.
TABLES = f"""
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value ANY NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE collections (
        collection INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        space TEXT NOT NULL,
        metric TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        kind TEXT NOT NULL,
        storage TEXT NOT NULL,
        description TEXT,
        created_at TEXT NOT NULL,
        digest BLOB NOT NULL,
        live_count INTEGER NOT NULL DEFAULT 0,
        texts INTEGER NOT NULL DEFAULT 0,
        entries INTEGER NOT NULL DEFAULT 0,
        last_change INTEGER NOT NULL DEFAULT 0,
        index_token TEXT
    ) STRICT;
    CREATE TABLE aliases (
        alias TEXT PRIMARY KEY,
        collection INTEGER NOT NULL REFERENCES collections (collection)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE points (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        collection INTEGER NOT NULL REFERENCES collections (collection),
        id ANY NOT NULL,
        text TEXT,
        vector BLOB NOT NULL,
        metadata TEXT,
        digest BLOB NOT NULL,
        UNIQUE (collection, id)
    ) STRICT;
    CREATE INDEX points_of_collection ON points (collection);
    {FIELDS}
"""

# What FTS5 makes for each table of words, in which SQLite's own code sees to it that nothing else is.
_SHADOW = re.compile(
    r"CREATE TABLE 'words_N_(?:data|idx|docsize|config)'\([\w ,]*(?:\([\w ,]*\))?\)(?: WITHOUT ROWID)?"
)
_SEQUENCE = "CREATE TABLE sqlite_sequence(name,seq)"
# What would be run beside our own statements; version 1 had neither, and is copied into tables of this version.
_RUN = re.compile(r"\bCHECK\b|\bGENERATED\b|\bAS *\(|\bVIRTUAL\b", re.IGNORECASE)


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreError if the file is not ours, or is newer or older than this code knows; changes nothing."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreError(f"{path} is not a store of this service: move it away, or choose another data directory.")
    found = connection.pragma("user_version")
    if found > VERSION:
        raise StoreError(f"{path} has version {found}, newer than the known {VERSION}: start a newer mcse.")
    if found < OLDEST:
        raise StoreError(f"{path} has no version: restore it from a backup, or move it away to start empty.")
    known = _known_statements() if found == VERSION else None
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema"):
        if not _is_ours(kind, name, sql, known):
            raise StoreError(
                f"{path} has a {kind} that this service does not make: restore it from a backup, or move it away to "
                "start empty."
            )


def _is_ours(kind: str, name: str, sql: str | None, known: set[str] | None) -> bool:
    """A trigger, a view, or a condition would be run at every write or read, and may do anything to the rows."""
    if sql is None:
        return kind == "index" and name.startswith("sqlite_autoindex_")
    if known is None:
        return kind in ("table", "index") and not _RUN.search(sql)
    written = _normal(sql)
    return written in known or (kind == "table" and _SHADOW.fullmatch(written) is not None)


@cache
def _known_statements() -> set[str]:
    statements = (TABLES + wordtable.statements("N")).split(";")
    return {_normal(statement) for statement in statements} | {_SEQUENCE}


def _normal(sql: str) -> str:
    """With single spaces, and N for the number of a collection."""
    return re.sub(r"\b(words|vocabulary)_\d+", r"\1_N", " ".join(sql.split()))


def is_old(connection: apsw.Connection) -> bool:
    """Whether a file that `check` let through is of an older version."""
    return bool(connection.pragma("user_version") < VERSION)


def create(connection: apsw.Connection) -> None:
    """Make the tables in an empty file, in one transaction; the store gets a name that no other store has."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(TABLES)
    connection.execute("INSERT INTO meta VALUES ('identity', ?)", (secrets.token_hex(16),))
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", VERSION)
    connection.execute("COMMIT")
