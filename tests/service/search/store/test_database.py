"""One file, one process, one writer; failures named."""

import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import apsw
import pytest

from service.errors import StorageFull, StoreError, Unavailable
from service.search.store import database as database_module
from service.search.store import schema
from service.search.store.database import FILE, LONG_READERS, READERS, Database, connect

REPOSITORY = Path(__file__).parents[4]
PAGE = 4096
OPEN = """
import sys
from pathlib import Path
from service.search.store.database import Database
Database.open(Path(sys.argv[1]))
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database.open(tmp_path)) as opened:
        yield opened


def add(connection: apsw.Connection, *names: str) -> None:
    for name in names:
        connection.execute(
            "INSERT INTO collections (name, space, metric, dimension, fingerprint, kind, storage, created_at, digest)"
            " VALUES (?, 's', 'dot', 1, 'f', 'flat', 'float32', 'now', x'00')",
            (name,),
        )


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return [str(name) for (name,) in connection.execute("SELECT name FROM collections ORDER BY name")]


def test_every_commit_reaches_the_disk(database: Database) -> None:
    with database.writing() as connection:
        found = [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")]
    assert found == ["wal", 2, 1, 5_000]


def test_a_disk_that_cannot_do_a_wal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.database.PRAGMAS", (("page_size", 3),))
    with pytest.raises(StoreError, match="page_size is 4096 where 3 is needed"):
        Database.open(tmp_path)


def test_a_failed_transaction_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(apsw.ConstraintError), database.writing() as connection:
        add(connection, "lost", "lost")
    assert names(database) == []
    with database.writing() as connection:
        add(connection, "kept")
    assert names(database) == ["kept"]


def test_reads_do_not_wait_for_a_write_and_do_not_see_half_of_it(database: Database) -> None:
    with database.writing() as connection:
        add(connection, "new")
        assert names(database) == []
    assert names(database) == ["new"]


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable), database.reading() as connection:
        add(connection, "no")


def test_more_readers_than_connections_take_turns(database: Database) -> None:
    answers: list[list[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(names(database))) for _ in range(4 * READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[]] * len(threads)


def test_a_second_process_is_refused(database: Database) -> None:
    second = subprocess.run(
        [sys.executable, "-c", OPEN, str(database.path.parent)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert second.returncode == 1
    assert f"StoreError: {database.path.parent} is in use by another process: stop that one" in second.stderr


def test_a_second_opening_in_the_same_process_is_refused_too(database: Database) -> None:
    with pytest.raises(StoreError, match="in use by another process"):
        Database.open(database.path.parent)


def test_closing_lets_the_next_one_in_and_leaves_one_whole_file(tmp_path: Path) -> None:
    for round_ in range(3):
        with closing(Database.open(tmp_path)) as database, database.writing() as connection:
            add(connection, str(round_))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", FILE]


def test_a_closed_database_is_unavailable(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    database.close()
    database.close()
    with pytest.raises(Unavailable):
        names(database)
    for unusable in (database.writing(), database.reading(long=True)):
        with pytest.raises(Unavailable), unusable:
            pass
    assert not database.is_writable()


def test_a_creation_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).with_suffix(".new").write_bytes(b"half a file")
    with closing(Database.open(tmp_path)) as database:
        assert names(database) == []


def test_a_log_without_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}-wal").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"is missing but its log store.sqlite3-wal is there"):
        Database.open(tmp_path)


@pytest.mark.parametrize("where", ["data", "data/below"])
def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "data").write_text("not a directory")
    with pytest.raises(StoreError, match="cannot be used"):
        Database.open(tmp_path / where)


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="is no file, or a link to none"):
        Database.open(tmp_path)


def test_a_full_file_refuses_the_write_and_serves_on(database: Database) -> None:
    with database.writing() as connection:
        add(connection, "kept")
        connection.pragma("max_page_count", 1)  # SQLite takes the present size, if that is more
    with (
        pytest.raises(StorageFull, match="no room for this write; nothing of it was kept"),
        database.writing() as connection,
    ):
        add(connection, *(f"{number:01000}" for number in range(100)))
    assert names(database) == ["kept"]
    assert database.is_writable()
    with database.writing() as connection:
        add(connection, "small")
    assert names(database) == ["kept", "small"]


def test_whether_writes_work_is_known_without_waiting_for_one(database: Database) -> None:
    with database.writing():
        assert database.is_writable()


def test_long_reads_do_not_keep_short_ones_waiting(database: Database) -> None:
    with ExitStack() as long_reads:
        for _ in range(LONG_READERS):
            long_reads.enter_context(database.reading(long=True))
        assert names(database) == []


def test_every_bit_of_a_page_counts(tmp_path: Path) -> None:
    with closing(Database.open(tmp_path)) as database, database.writing() as connection:
        add(connection, *(f"{number:01000}" for number in range(50)))
    content = (tmp_path / FILE).read_bytes()
    draw = random.Random(1)
    for _ in range(100):
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (tmp_path / FILE).write_bytes(changed)
        with pytest.raises(StoreError, match=FILE):
            Database.open(tmp_path)
    (tmp_path / FILE).write_bytes(content)
    Database.open(tmp_path).close()


def test_pages_that_came_through_the_log_have_checksums(tmp_path: Path) -> None:
    with closing(Database.open(tmp_path)) as database:
        for number in range(20):
            with database.writing() as connection:
                add(connection, f"{number:03000}")
        live = tmp_path / "copy"
        shutil.copytree(tmp_path, live)  # as a power cut would leave it
    for data_dir in (tmp_path, live):
        with closing(Database.open(data_dir)) as again:
            assert len(names(again)) == 20
        content = (data_dir / FILE).read_bytes()
        with closing(connect(data_dir / FILE, apsw.SQLITE_OPEN_READONLY)) as connection:
            for start in range(0, len(content), PAGE):
                page = content[start : start + PAGE]
                assert connection.execute("SELECT verify_checksum(?)", (page,)).get == 1, start // PAGE


def test_a_file_without_checksums_is_refused(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / FILE))) as plain:
        schema.create(plain)
    with pytest.raises(StoreError, match="has no checksums"):
        Database.open(tmp_path)


def test_without_the_extension_for_checksums_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.database.CHECKSUMS", "missing")
    database_module._load_checksums.cache_clear()
    with pytest.raises(StoreError, match="SQLite's extension missing cannot be loaded"):
        Database.open(tmp_path)
    assert not (tmp_path / FILE).exists()
