"""A store of version 1 becomes one of this version as a whole, or stays what it is."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np
import orjson
import pytest

from service.errors import StoreError
from service.search.filters.model import MatchAny
from service.search.points import CollectionInfo, Metadata, Point
from service.search.store import schema
from service.search.store.database import FILE
from service.search.store.rows import digest_of, pack
from service.search.store.store import Store

REPOSITORY = Path(__file__).parents[4]
KILLS = 6
INFO = CollectionInfo("new", "s", "dot", 16, "model", "flat", "float32", None, "now", 0)
TABLES = """
    CREATE TABLE collections (
        collection INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, space TEXT NOT NULL,
        metric TEXT NOT NULL, dimension INTEGER NOT NULL, fingerprint TEXT NOT NULL, description TEXT,
        created_at TEXT NOT NULL, digest BLOB NOT NULL, live_count INTEGER NOT NULL DEFAULT 0,
        last_change INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE points (
        row INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL REFERENCES collections (collection),
        id ANY NOT NULL, text TEXT, vector BLOB NOT NULL, metadata TEXT, digest BLOB NOT NULL, UNIQUE (collection, id)
    ) STRICT;
"""


def make_old(data_dir: Path, points: Sequence[Point]) -> None:
    """A store of version 1 with one collection, "old", and a log beside it as a crash leaves it."""
    data_dir.mkdir()
    vectors = np.stack([point.vector for point in points])
    with closing(apsw.Connection(str(data_dir / "live"))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.execute(TABLES)
        connection.pragma("application_id", schema.APPLICATION_ID)
        connection.pragma("user_version", 1)
        connection.wal_checkpoint()
        fields = ("old", "s", "dot", str(vectors.shape[1]), "model", "then")
        connection.execute(
            "INSERT INTO collections VALUES (7, ?, ?, ?, ?, ?, NULL, ?, ?, ?, 1)",
            (*fields[:3], vectors.shape[1], *fields[4:], digest_of(*map(str.encode, fields), None), len(points)),
        )
        with connection:
            connection.executemany(
                "INSERT INTO points (collection, id, text, vector, metadata, digest) VALUES (7, ?, ?, ?, ?, ?)",
                [row[:5] for row in pack(points, vectors, "model")],
            )
        for ending in ("", "-wal"):
            shutil.copy(data_dir / f"live{ending}", data_dir / f"{FILE}{ending}")
    (data_dir / "live").unlink()


def some_points(count: int) -> list[Point]:
    def metadata(i: int) -> Metadata:
        return {"n": i, "tag": "even" if i % 2 == 0 else "odd"}

    return [Point(i, np.full(16, i, np.float32), f"cat number {i}", metadata(i)) for i in range(count)]


def change(data_dir: Path, statement: str) -> None:
    with closing(apsw.Connection(str(data_dir / FILE))) as connection:
        connection.execute(statement)


def test_everything_comes_along_and_can_be_found(tmp_path: Path) -> None:
    make_old(tmp_path / "data", some_points(50))
    with closing(Store.open(tmp_path / "data")) as store:
        info = store.collections()[7]
        assert (info.name, info.index, info.storage, info.count) == ("old", "flat", "float32", 50)
        assert store.live_rows(7).tolist() == list(range(1, 51))
        assert [point.metadata for point in store.points_by_id(7, range(50))] == [p.metadata for p in some_points(50)]
        assert store.matching_rows(7, MatchAny("tag", ("even",))).tolist() == list(range(1, 51, 2))
        assert len(store.lexical(7, "cats", 100)) == 50
    with closing(Store.open(tmp_path / "data")) as store:
        assert store.count(7) == 50
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["lock", FILE]


def test_numbers_that_were_given_out_are_never_used_again(tmp_path: Path) -> None:
    make_old(tmp_path / "data", some_points(10))
    change(tmp_path / "data", "DELETE FROM points; UPDATE collections SET live_count = 0")
    with closing(Store.open(tmp_path / "data")) as store:
        point = some_points(1)
        assert store.upsert(7, pack(point, np.ones((1, 16), np.float32), "model"), 9).rows.tolist() == [11]
        assert store.drop_collection(7) == 1
    with closing(Store.open(tmp_path / "data")) as store:
        assert store.create_collection(INFO) == 8


def test_what_was_allowed_then_is_not_refused_now(tmp_path: Path) -> None:
    many: Metadata = {"many": list(range(1_000))}
    data_dir = tmp_path / "data"
    make_old(data_dir, [Point("a", np.ones(16, np.float32))])
    packed = pack([Point("a", np.ones(16, np.float32))], np.ones((1, 16), np.float32), "model")[0]
    text = orjson.dumps(many)
    digest = digest_of(b"model", b"text", b"a", None, packed.vector, text)
    with closing(apsw.Connection(str(data_dir / FILE))) as connection:
        connection.execute("UPDATE points SET metadata = ?, digest = ?", (text.decode(), digest))
    with closing(Store.open(data_dir)) as store:
        assert store.matching_rows(7, MatchAny("many", (999,))).tolist() == [1]
        assert store.delete(7, ["a"]).tolist() == [1]
        assert len(store.matching_rows(7, MatchAny("many", (999,)))) == 0


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE points SET text = 'another' WHERE id = 3", "row 4 is damaged"),
        ("UPDATE points SET collection = 9 WHERE id = 3", "row 4 is damaged"),
        ("DELETE FROM points WHERE id = 3", 'collection "old" has 9 points, its count says 10'),
        ("UPDATE collections SET metric = 'cosine'", "collection number 7 is damaged"),
        ("DELETE FROM collections", "row 1 is damaged"),
    ],
)
def test_a_damaged_old_store_is_refused_and_left_alone(tmp_path: Path, damage: str, reason: str) -> None:
    make_old(tmp_path / "data", some_points(10))
    change(tmp_path / "data", damage)
    before = (tmp_path / "data" / FILE).read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError) as refusal:
            Store.open(tmp_path / "data")
        assert reason in str(refusal.value)
        assert (tmp_path / "data" / FILE).read_bytes() == before


def test_a_damaged_page_of_an_old_store_is_refused(tmp_path: Path) -> None:
    make_old(tmp_path / "data", some_points(100))
    change(tmp_path / "data", "VACUUM")
    content = bytearray((tmp_path / "data" / FILE).read_bytes())
    content[4096 * 5 : 4096 * 6] = bytes(4096)
    (tmp_path / "data" / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged pages"):
        Store.open(tmp_path / "data")


def test_killed_at_any_moment_it_is_the_old_store_or_the_new_one(tmp_path: Path) -> None:
    make_old(tmp_path / "old", some_points(5_000))
    opening = "import sys; from pathlib import Path; from service.search.store.store import Store; print(flush=True);"
    opening += "Store.open(Path(sys.argv[1])); print(flush=True)"
    draw = random.Random(1)
    versions = []
    for kill in range(KILLS):
        data_dir = tmp_path / str(kill)
        shutil.copytree(tmp_path / "old", data_dir)
        arguments = [sys.executable, "-c", opening, str(data_dir)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.4))
            process.kill()
        with closing(apsw.Connection(str(data_dir / FILE))) as connection:
            versions.append(connection.pragma("user_version"))
            assert connection.execute("SELECT count(*) FROM points").get == 5_000
        with closing(Store.open(data_dir)) as store:
            assert store.count(7) == 5_000
            assert len(store.matching_rows(7, MatchAny("tag", ("odd",)))) == 2_500
            assert len(store.lexical(7, "number 4999", 9)) == 9
    assert 1 in versions, "no kill came in time; make the store larger"
