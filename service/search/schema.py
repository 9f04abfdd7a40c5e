"""The tables of the store, their version, and the way from an older version to this one."""

from pathlib import Path

import apsw

from service.errors import StoreError

APPLICATION_ID = 0x6D637365  # "mcse": tells our file from any other SQLite file

MIGRATIONS = (
    # 1: AUTOINCREMENT never gives a row number twice, so an old number can never mean a new point.
    # STRICT with ANY keeps an id as the type it came in: 1 and '1' are two ids.
    """
    CREATE TABLE collections (
        collection INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        space TEXT NOT NULL,
        metric TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        description TEXT,
        created_at TEXT NOT NULL,
        digest BLOB NOT NULL,
        live_count INTEGER NOT NULL DEFAULT 0,
        last_change INTEGER NOT NULL DEFAULT 0
    ) STRICT;
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
    """,
)
VERSION = len(MIGRATIONS)


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreError if the file is not ours or is newer than this code; changes nothing."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreError(f"{path} is not a store of this service: move it away, or choose another data directory.")
    found = connection.pragma("user_version")
    if found > VERSION:
        raise StoreError(f"{path} has version {found}, newer than the known {VERSION}: start a newer mcse.")


def migrate(connection: apsw.Connection) -> None:
    """Bring an empty or older file to `VERSION`, in one transaction."""
    found = connection.pragma("user_version")
    if found == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[found:]:
        connection.execute(statements)
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", VERSION)
    connection.execute("COMMIT")
