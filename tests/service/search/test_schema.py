"""Identity and version of the file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from service.errors import StoreError
from service.search import schema


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as memory:
        yield memory


def test_an_empty_file_becomes_ours(connection: apsw.Connection) -> None:
    schema.migrate(connection)
    schema.check(connection, Path("store"))
    assert connection.pragma("user_version") == schema.VERSION
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    assert connection.execute(tables).get == ["collections", "points"]


def test_migrating_again_changes_nothing(connection: apsw.Connection) -> None:
    schema.migrate(connection)
    before = connection.total_changes()
    schema.migrate(connection)
    assert connection.total_changes() == before


def test_a_newer_version_is_refused(connection: apsw.Connection) -> None:
    schema.migrate(connection)
    connection.pragma("user_version", schema.VERSION + 1)
    with pytest.raises(StoreError, match="newer than the known 1: start a newer mcse"):
        schema.check(connection, Path("store"))


def test_a_foreign_file_is_refused(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match="not a store of this service: move it away"):
        schema.check(connection, Path("store"))


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE points (again)"))
    monkeypatch.setattr(schema, "VERSION", 2)
    path = str(tmp_path / "file")
    with closing(apsw.Connection(path)) as connection, pytest.raises(apsw.SQLError):
        schema.migrate(connection)
    with closing(apsw.Connection(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
        assert connection.pragma("user_version") == 0
