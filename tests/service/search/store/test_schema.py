"""Identity and version of the file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from service.errors import StoreError
from service.search.store import schema


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as memory:
        yield memory


def test_an_empty_file_becomes_ours(connection: apsw.Connection) -> None:
    schema.create(connection)
    schema.check(connection, Path("store"))
    assert not schema.is_old(connection)
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    assert connection.execute(tables).get == ["aliases", "collections", "fields", "meta", "points"]


def test_every_store_has_an_identity_of_its_own() -> None:
    found = set()
    for _ in range(2):
        with closing(apsw.Connection(":memory:")) as memory:
            schema.create(memory)
            found.add(memory.execute("SELECT value FROM meta WHERE key = 'identity'").get)
    assert [len(identity) for identity in found] == [32, 32]


def test_an_older_version_is_known_as_such(connection: apsw.Connection) -> None:
    schema.create(connection)
    connection.pragma("user_version", schema.OLDEST)
    schema.check(connection, Path("store"))
    assert schema.is_old(connection)


@pytest.mark.parametrize(("version", "reason"), [(3, "newer than the known 2: start a newer mcse"), (0, "no version")])
def test_a_version_that_is_not_known_is_refused(connection: apsw.Connection, version: int, reason: str) -> None:
    schema.create(connection)
    connection.pragma("user_version", version)
    with pytest.raises(StoreError, match=reason):
        schema.check(connection, Path("store"))


def test_a_foreign_file_is_refused(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match="not a store of this service: move it away"):
        schema.check(connection, Path("store"))


def test_tables_are_made_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "TABLES", schema.TABLES + "CREATE TABLE points (again)")
    path = str(tmp_path / "file")
    with closing(apsw.Connection(path)) as connection, pytest.raises(apsw.SQLError):
        schema.create(connection)
    with closing(apsw.Connection(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
        assert connection.pragma("user_version") == 0
