"""Data directories, snapshots and kept indexes that somebody made up, with digests and checksums that are right: a
named error, or an answer, in little memory and time, and nothing outside is touched."""

# ruff: noqa: S608 - made-up files

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import orjson
import pytest

from service.search.embedded.collections import Collections
from service.search.embedded.opening import FOLDER as INDEXES
from service.search.embedded.snapshots import FOLDER as SNAPSHOTS
from service.search.indexes.graph import BLOCK, DEGREE, MOST_PLACES
from service.search.points import CollectionInfo, Point
from service.search.store import catalog, rows, snapshot_file
from service.search.store.database import FILE
from tests.faults.cage import Cage, Outcome, require_refused
from tests.faults.doors import FINGERPRINT, SPACE, WIDTH

MB = 1 << 20
CANARY = "canary-7f3a"
INFO = CollectionInfo("made", SPACE, "dot", WIDTH, FINGERPRINT, "flat", "float32", None, "2026-01-31T00:00:00Z", 3)


def point(number: int) -> Point:
    return Point(f"id-{number}", np.full(WIDTH, number + 1, np.float32), f"text {number}", {"n": number})


@contextmanager
def raw(path: Path, *, new: bool = False) -> Iterator[apsw.Connection]:
    """The file as SQLite opens it, checksums and all, with everything allowed that a stranger may do."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if new else 0)
    with closing(apsw.Connection(str(path), flags, vfs="cksmvfs")) as connection:
        connection.pragma("trusted_schema", True)
        yield connection


# ---- snapshots ----


def snapshot(
    path: Path,
    info: CollectionInfo = INFO,
    points: Sequence[rows.NewRow] | None = None,
    *,
    before: str = "",
    after: str = "",
    tables: Sequence[str] = snapshot_file.TABLES,
) -> None:
    """A snapshot with right digests over whatever is in it; `before` and `after` are run beside."""
    packed = list(points if points is not None else new_rows([point(number) for number in range(3)]))
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(before)
        connection.execute("".join(f"{table};" for table in tables))
        connection.pragma("application_id", snapshot_file.APPLICATION_ID)
        connection.pragma("user_version", snapshot_file.VERSION)
        connection.executemany(snapshot_file.INSERT, [row[:5] for row in packed])
        whole = snapshot_file.Whole(info)
        whole.update([(0, 0, "", b"", None, b"", None, row.digest) for row in packed])
        values = (*catalog.values_of(info), info.count, catalog.digest_of_collection(info), whole.digest())
        connection.execute(f"INSERT INTO collection VALUES ({', '.join('?' * len(values))})", values)
        connection.execute(after)


def new_rows(points: Sequence[Point]) -> list[rows.NewRow]:
    return rows.pack(points, np.stack([one.vector for one in points]), FINGERPRINT)


def row(
    point_id: Any = "id", text: str | None = "a", vector: bytes = bytes(4 * WIDTH), metadata: bytes | None = None
) -> list[rows.NewRow]:
    """One row with a right digest over anything."""
    typed = (b"text", point_id.encode()) if isinstance(point_id, str) else (b"integer", b"%d" % point_id)
    encoded = None if text is None else text.encode()
    digest = rows.digest_of_row(FINGERPRINT.encode(), *typed, encoded, vector, metadata)
    return [rows.NewRow(point_id, text, vector, None if metadata is None else metadata.decode(), digest)]


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"
VIEW = (
    snapshot_file.TABLES[0],
    "CREATE TABLE hidden (row INTEGER PRIMARY KEY, id ANY, text TEXT, vector BLOB, metadata TEXT, digest BLOB) STRICT",
    f"CREATE VIEW points AS {ENDLESS} AS row, 'a' AS id, 'a' AS text, zeroblob(4) AS vector, '' AS metadata,"
    " 1 AS digest FROM n",
)

Write = Callable[[Path], None]


def of(info: CollectionInfo, points: Sequence[rows.NewRow] | None = None, **beside: str) -> Write:
    return lambda path: snapshot(path, info, points, **beside)


def one(*arguments: Any, **fields: Any) -> Write:
    return of(replace(INFO, count=1), row(*arguments, **fields))


LIES: dict[str, Write] = {
    "a width of nothing": of(replace(INFO, dimension=0, count=0), []),
    "a width of 2^40": of(replace(INFO, dimension=1 << 40, count=0), []),
    "a negative width": of(replace(INFO, dimension=-8, count=0), []),
    "a width that is another one": of(replace(INFO, dimension=4)),
    "more points than there are": of(replace(INFO, count=1 << 60)),
    "fewer points than there are": of(replace(INFO, count=1)),
    "a negative number of points": of(replace(INFO, count=-1)),
    "an unknown metric": of(replace(INFO, metric="canary")),
    "an unknown index": of(replace(INFO, index="canary")),
    "a trigger": of(INFO, after="CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM points; END"),
    "a view": of(INFO, after=f"CREATE VIEW v AS {ENDLESS} FROM n"),
    "another table": of(INFO, after="CREATE TABLE more (a)"),
    "another index": of(INFO, after="CREATE INDEX more ON points (id)"),
    "a newer version": of(INFO, after="PRAGMA user_version = 99"),
    "another application": of(INFO, after="PRAGMA application_id = 5"),
    "a vector that is cut off": one(vector=bytes(6)),
    "a vector of another width": one(vector=bytes(400)),
    "a vector of NaN": one(vector=np.full(WIDTH, np.nan, np.float32).tobytes()),
    "metadata that is no object": one(metadata=b"[1]"),
    "metadata that is no JSON": one(metadata=b"{canary}"),
    "metadata that is deep": one(metadata=deep(5_000)),
    "metadata with NaN": one(metadata=b'{"a": NaN}'),
    "no collection": of(INFO, after="DELETE FROM collection"),
    "two collections": of(INFO, after="INSERT INTO collection SELECT * FROM collection"),
    "a schema that cannot be read": of(
        INFO, after="PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = 'CREATE TABLE points (' WHERE rowid = 2"
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_snapshot_that_lies_is_refused(cage: Cage, tmp_path: Path, lie: str) -> None:
    LIES[lie](tmp_path / "made.snapshot")
    outcome = cage.call("snapshot", tmp_path / "made.snapshot", writes=True)
    if lie == "two collections":  # the first one counts
        assert outcome.fell == ""
        return
    require_refused(outcome, grown_mb=100)
    assert CANARY not in outcome.told
    assert outcome.seconds < 10


def test_a_view_without_end_in_the_place_of_a_table_is_not_read(cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "made.snapshot"
    snapshot(path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("DROP TABLE points")
        for table in VIEW[1:]:
            connection.execute(table)
    require_refused(cage.call("snapshot", path, writes=True))


HARMLESS: dict[str, Write] = {
    "a description of 5 MB": of(replace(INFO, description="x" * 5 * MB)),
    "an unknown space": of(replace(INFO, space="canary")),
    "another model": of(replace(INFO, fingerprint="e" * 64), [], after="UPDATE collection SET live_count = 0"),
    "a time that is none": of(replace(INFO, created_at="yesterday")),
    "a name that is a path": of(replace(INFO, name="../../etc/passwd")),
    "an id of nothing": one(""),
    "an id of 1 MB": one("x" * MB),
    "an id that is a path": one("../../etc/passwd"),
    "an id with NUL": one("a\0b"),
    "the smallest number": one(-(1 << 63)),
    "a text of 20 MB": one(text="word " * 4 * MB),
    "pages of 64 KB": of(INFO, before="PRAGMA page_size = 65536"),
    "pages of 512 bytes": of(INFO, before="PRAGMA page_size = 512"),
    "another encoding": of(INFO, before="PRAGMA encoding = 'UTF-16'"),
    "a log beside it": of(INFO, before="PRAGMA journal_mode = wal"),
    "free pages": of(INFO, after="CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000)); DROP TABLE t"),
    "metadata that is as deep as JSON may be": one(metadata=deep(200)),
}


@pytest.mark.parametrize("odd", HARMLESS)
def test_a_snapshot_that_is_odd_is_refused_or_restored(cage: Cage, tmp_path: Path, odd: str) -> None:
    HARMLESS[odd](tmp_path / "made.snapshot")
    outcome = cage.call("snapshot", tmp_path / "made.snapshot", writes=True)
    assert outcome.fell == "", outcome.fell
    assert outcome.grown_mb <= 500, outcome
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("made")) == ["data"]


def test_a_snapshot_of_a_terabyte_that_is_not_there_is_refused(cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "made.snapshot"
    snapshot(path)
    os.truncate(path, 1 << 40)
    outcome = cage.call("snapshot", path, writes=True)
    assert outcome.fell == "", outcome.fell
    assert outcome.grown_mb <= 100
    assert outcome.seconds < 10


# ---- data directories ----


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a collection and a snapshot of it."""
    data_dir = tmp_path_factory.mktemp("whole") / "data"
    with closing(opened(data_dir)) as collections:
        made = collections.create("pets", space=SPACE, metric="dot", index="flat")
        made.upsert([point(number) for number in range(50)])
        made.create_snapshot()
    return data_dir


def opened(data_dir: Path) -> Collections:
    return Collections.open(
        data_dir, fingerprint=FINGERPRINT, dimensions={SPACE: WIDTH}, max_points=10_000, tended=False
    )


@pytest.fixture
def data_dir(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "home" / "data")
    (tmp_path / "secret").write_text(f"root:{CANARY}:0:0\n" * 100)
    return tmp_path / "home" / "data"


def visited(cage: Cage, data_dir: Path) -> Outcome:
    """Opened, read and written to, and nothing beside it was touched."""
    outside = {
        path: path.lstat().st_mtime_ns for path in data_dir.parents[1].rglob("*") if data_dir not in path.parents
    }
    outcome = cage.call("data_dir", data_dir, writes=True)
    now = {path: path.lstat().st_mtime_ns for path in data_dir.parents[1].rglob("*") if data_dir not in path.parents}
    outside.pop(data_dir)
    now.pop(data_dir)
    assert now == outside
    assert CANARY not in outcome.told + outcome.answer
    assert outcome.seconds < 15
    return outcome


def test_a_data_directory_that_is_whole_is_opened(cage: Cage, data_dir: Path) -> None:
    outcome = visited(cage, data_dir)
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert '["pets", 50, 10, 51' in outcome.answer


RUN: dict[str, str] = {
    "a trigger at a write": "CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM points WHERE id = 'id-1'; END",
    "a trigger at a delete": "CREATE TRIGGER t BEFORE DELETE ON points BEGIN SELECT RAISE(IGNORE); END",
    "a trigger that never ends": "CREATE TRIGGER t AFTER INSERT ON points"
    f" BEGIN INSERT INTO meta {ENDLESS}, i FROM n; END",
    "a view": f"CREATE VIEW v AS {ENDLESS} FROM n",
    "a view in the place of a table": "ALTER TABLE aliases RENAME TO hidden;"
    " CREATE VIEW aliases AS SELECT alias, collection FROM hidden",
    "another table": "CREATE TABLE more (a)",
    "a table with a condition": "CREATE TABLE more (a CHECK (length(hex(zeroblob(a))) > 0));"
    " INSERT INTO more VALUES (400000000)",
    "a table that computes": "CREATE TABLE more (a, b AS (hex(zeroblob(1000000000))))",
    "an index that computes": "CREATE INDEX more ON points (length(hex(text)))",
    "a table of another module": "CREATE VIRTUAL TABLE more USING fts5(a)",
    "a table of places": "CREATE VIRTUAL TABLE more USING rtree(id, a, b)",
    "a default that is run": "ALTER TABLE meta ADD COLUMN more ANY DEFAULT 5",
    "another version": "PRAGMA user_version = 99",
    "an old version": "PRAGMA user_version = 1",
    "another application": "PRAGMA application_id = 5",
    "a schema that cannot be read": "PRAGMA writable_schema = 1;"
    " UPDATE sqlite_schema SET sql = 'CREATE TABLE points (' WHERE name = 'points'",
    "a root page that is none": "PRAGMA writable_schema = 1;"
    " UPDATE sqlite_schema SET rootpage = 4000000 WHERE name = 'points'",
    "two tables on one page": "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'points'",
}


@pytest.mark.parametrize("what", RUN)
def test_a_store_that_would_run_something_is_refused(cage: Cage, data_dir: Path, what: str) -> None:
    with raw(data_dir / FILE) as connection:
        connection.execute(RUN[what])
    require_refused(visited(cage, data_dir), grown_mb=100)


ROWS: dict[str, str] = {
    "no points": "DELETE FROM points",
    "a count of 2^62": f"UPDATE collections SET live_count = {1 << 62}",
    "counts that do not fit": "UPDATE collections SET texts = -5, entries = 1000000",
    "another width": "UPDATE collections SET dimension = 1000000000",
    "another model": "UPDATE collections SET fingerprint = 'canary'",
    "a name that is a path": "UPDATE collections SET name = '../../etc/passwd'",
    "a name of 1 MB": f"UPDATE collections SET name = hex(zeroblob({MB}))",
    "an alias of a path": "INSERT INTO aliases VALUES ('../../etc/passwd', 1)",
    "an alias of nothing": "PRAGMA foreign_keys = 0; INSERT INTO aliases VALUES ('canary', 99)",
    "a row of another collection": "PRAGMA foreign_keys = 0; UPDATE points SET collection = 99 WHERE row = 1",
    "a text that is no UTF-8": "UPDATE points SET text = CAST(x'ff' AS TEXT) WHERE row = 1",
    "a vector of 100 MB": "UPDATE points SET vector = zeroblob(100000000) WHERE row = 1",
    "a token of an index that is a path": "UPDATE collections SET index_token = '../../etc/passwd'",
    "a row number of 2^63": "UPDATE points SET row = 9223372036854775807 WHERE row = 1",
    "a sequence that has ended": "UPDATE sqlite_sequence SET seq = 9223372036854775807",
}


@pytest.mark.parametrize("what", ROWS)
def test_a_store_with_rows_that_cannot_be_is_refused_or_goes_on(cage: Cage, data_dir: Path, what: str) -> None:
    with raw(data_dir / FILE) as connection:
        connection.execute(ROWS[what])
    outcome = visited(cage, data_dir)
    assert outcome.fell == "", outcome.fell
    assert outcome.grown_mb <= 500, outcome


def test_what_is_behind_the_last_page_of_a_store_is_not_read(cage: Cage, data_dir: Path) -> None:
    os.truncate(data_dir / FILE, 1 << 40)
    outcome = visited(cage, data_dir)
    assert outcome.fell == "", outcome.fell
    assert outcome.grown_mb <= 100


@pytest.mark.parametrize("size", [8192, 100, 1])
def test_a_store_of_another_size_is_refused(cage: Cage, data_dir: Path, size: int) -> None:
    os.truncate(data_dir / FILE, size)
    require_refused(visited(cage, data_dir), grown_mb=100)


@pytest.mark.parametrize("name", [f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal", "lock", "store.new"])
def test_a_link_out_of_the_data_directory_is_not_written_through(cage: Cage, data_dir: Path, name: str) -> None:
    (data_dir / name).unlink(missing_ok=True)
    (data_dir / name).symlink_to(data_dir.parents[1] / "secret")
    outcome = visited(cage, data_dir)
    assert outcome.fell == "", outcome.fell
    (data_dir / name).unlink(missing_ok=True)
    (data_dir / name).symlink_to(data_dir.parents[1] / "nothing-yet")
    assert visited(cage, data_dir).fell == ""


@pytest.mark.parametrize("name", [f"{FILE}-wal", f"{FILE}-shm", "lock", "store.new", "indexes", "snapshots"])
def test_a_pipe_or_a_folder_in_a_data_directory_keeps_nobody_waiting(cage: Cage, data_dir: Path, name: str) -> None:
    for put in (os.mkfifo, os.mkdir):
        path = data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        put(path)
        outcome = visited(cage, data_dir)
        assert outcome.fell == "", outcome.fell


# ---- what lies beside snapshots ----


def beside(data_dir: Path) -> Path:
    (found,) = (data_dir / SNAPSHOTS / "pets").glob("*.json")
    return found


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"null", b"5", b" " * MB, b'{"name": ' + b"9" * 5000]
)
def test_what_is_told_of_a_snapshot_may_be_anything(cage: Cage, data_dir: Path, content: bytes) -> None:
    beside(data_dir).write_bytes(content)
    outcome = visited(cage, data_dir)
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert "SnapshotInfo" in outcome.answer


def test_a_link_is_no_snapshot_whatever_is_told_of_it(cage: Cage, data_dir: Path) -> None:
    secret = data_dir.parents[1] / "secret"
    path = data_dir / SNAPSHOTS / "pets" / "pets-20260131T000000-abcdef.snapshot"
    path.symlink_to(secret)
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    told = {"name": path.name, "size_bytes": 5, "created_at": "2026-01-31T00:00:00Z", "sha256": digest, "count": 5}
    told = {**json.loads(beside(data_dir).read_bytes()), **told}
    told.pop("digest")
    told["digest"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    path.with_name(f"{path.name}.json").write_text(json.dumps(told))
    outcome = visited(cage, data_dir)
    assert outcome.fell == "", outcome.fell
    assert path.name not in outcome.answer
    with closing(opened(data_dir)) as collections, pytest.raises(Exception, match="no snapshot of this name"):
        collections.get("pets").snapshot_path(path.name)


# ---- indexes ----

POINTS, HEAD = 400, 32


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a kept graph."""
    from service.search.embedded import tending
    from tests.faults.thresholds import lower_thresholds

    data_dir = tmp_path_factory.mktemp("indexed") / "data"
    draw = np.random.default_rng(5)
    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch.setattr)
        with closing(opened(data_dir)) as collections:
            made = collections.create("pets", space=SPACE, metric="dot", index="hnsw")
            made.upsert([Point(n, draw.standard_normal(WIDTH).astype(np.float32)) for n in range(POINTS)])
            while tending.tend(made):
                pass
    assert (data_dir / INDEXES / "1.index").is_file()
    return data_dir


Change = Callable[[bytearray, int], None]


def number_at(offset: int, value: int) -> Change:
    """One of the numbers at the start of the graph: count, linked, upper links, entry."""

    def change(content: bytearray, start: int) -> None:
        content[start + offset : start + offset + 8] = value.to_bytes(8, "little", signed=value < 0)

    return change


def part_of(name: str) -> int:
    """Where an array begins, behind the numbers."""
    sizes = {"codes": 64 * BLOCK, "measures": 8 * BLOCK, "vectors": 4 * WIDTH * BLOCK, "ground": 8 * DEGREE * BLOCK}
    sizes |= {"first": 4 * BLOCK, "levels": BLOCK}
    names = [*sizes]
    return HEAD + sum(sizes[before] for before in names[: names.index(name)])


def filled(name: str, value: int, size: int, each: int = 4) -> Change:
    def change(content: bytearray, start: int) -> None:
        at = start + part_of(name)
        content[at : at + size * each] = value.to_bytes(each, "little") * size

    return change


GRAPHS: dict[str, Change] = {
    "a count of 2^62": number_at(0, 1 << 62),
    "a negative count": number_at(0, -5),
    "as many places as there may be": number_at(0, MOST_PLACES),
    "no places": number_at(0, 0),
    "more linked than there are": number_at(8, 1 << 40),
    "a negative number linked": number_at(8, -5),
    "upper links without end": number_at(16, 1 << 40),
    "an entry that is no place": number_at(24, (1 << 32) | 4_000_000_000),
    "an entry on the level 2^31": number_at(24, (1 << 63) | 5),
    "links that lead out": filled("ground", 4_000_000_000, 32 * POINTS),
    "links just behind the end": filled("ground", POINTS, 32 * POINTS),
    "levels of 255": filled("levels", 255, POINTS, 1),
    "levels that have no links": filled("levels", 5, POINTS, 1),
    "upper links that begin nowhere": filled("first", 4_000_000_000, POINTS),
}


def changed_index(data_dir: Path, change: Change) -> None:
    """The kept index with a change, and a right digest behind it."""
    path = data_dir / INDEXES / "1.index"
    content = bytearray(path.read_bytes()[:-32])
    start = content.index(b"\n") + 1 + 8 * POINTS  # behind the header and the numbers of the rows
    start += 8 * POINTS + 9 * POINTS  # and the ids
    change(content, start)
    path.write_bytes(bytes(content) + hashlib.sha256(content).digest())


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_that_leads_out_of_its_memory_is_not_used(
    cage: Cage, indexed: Path, tmp_path: Path, graph: str
) -> None:
    data_dir = tmp_path / "home" / "data"
    shutil.copytree(indexed, data_dir)
    changed_index(data_dir, GRAPHS[graph])
    outcome = visited(cage, data_dir)
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert outcome.answer.startswith(f'[["pets", {POINTS}, 10, {POINTS + 1}')
    assert outcome.grown_mb <= 300, outcome


def test_a_graph_that_was_not_changed_is_used(indexed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(indexed, data_dir)
    changed_index(data_dir, number_at(0, POINTS))
    with closing(opened(data_dir)) as collections:
        assert collections.get("pets").kept_count == POINTS
    assert "index file not used" not in caplog.text


@pytest.mark.parametrize(
    "header",
    [
        {"count": 1 << 60},
        {"count": -1},
        {"count": "a"},
        {"count": 5},
        {"kind": "flat"},
        {"kind": "ivf"},
        {"kind": ["hnsw"]},
        {"width": 1 << 30},
        {"token": None},
        {"format": 99},
    ],
    ids=str,
)
def test_an_index_whose_header_lies_is_not_used(
    cage: Cage, indexed: Path, tmp_path: Path, header: dict[str, Any]
) -> None:
    data_dir = tmp_path / "home" / "data"
    shutil.copytree(indexed, data_dir)
    path = data_dir / INDEXES / "1.index"
    head, _, rest = path.read_bytes()[:-32].partition(b"\n")
    content = orjson.dumps({**orjson.loads(head), **header}) + b"\n" + rest
    path.write_bytes(content + hashlib.sha256(content).digest())
    outcome = visited(cage, data_dir)
    assert (outcome.fell, outcome.told) == ("", ""), outcome.fell
    assert outcome.answer.startswith(f'[["pets", {POINTS}, 10, {POINTS + 1}')


# ---- what a service remembers beside its store ----


@pytest.mark.parametrize("name", ["batch_tokens.json", "calibration.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b"null", b'{"of": {}}', b'{"of": 1, "tokens_per_s": {"1e9": 1}}', b" " * 3 * MB, b"\xff"],
    ids=lambda content: content[:20].decode(errors="replace"),
)
def test_what_is_remembered_may_be_anything(cage: Cage, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    outcome = cage.call("remembered", tmp_path)
    assert (outcome.fell, outcome.answer) == ("", "[None, None]"), outcome.fell


@pytest.mark.parametrize("name", ["batch_tokens.json", "calibration.json"])
def test_what_is_remembered_may_be_no_file(cage: Cage, tmp_path: Path, name: str) -> None:
    for put in (os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir):
        put(tmp_path / name)
        outcome = cage.call("remembered", tmp_path, seconds=5)
        assert (outcome.fell, outcome.answer) == ("", "[None, None]"), outcome.fell
        shutil.rmtree(tmp_path / name) if put is os.mkdir else (tmp_path / name).unlink()
