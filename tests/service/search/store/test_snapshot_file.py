"""A snapshot is the whole collection or is refused; nothing of a refused one is ever there."""

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import numpy as np
import pytest

from service.errors import InvalidInput, NotFound, StorageFull, Unavailable
from service.search.filters.model import MatchAny
from service.search.points import CollectionInfo, Point
from service.search.store import catalog, snapshot_file
from service.search.store.rows import digest_of_row, pack
from service.search.store.store import Store

SEED = int(os.environ.get("TEST_SEED", "1"))
MUTATIONS = int(os.environ.get("TEST_MUTATIONS", "60"))
PAGE = 4096
INFO = CollectionInfo("cats", "s", "dot", 64, "model", "hnsw", "int8", "of cats", "2026-01-01T00:00:00Z", 0)
LIMIT = 1_000

Content: TypeAlias = list[tuple[object, ...]]
Damage: TypeAlias = Callable[[bytearray, random.Random], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With a collection "cats" of 60 points, whose number is 1."""
    with closing(Store.open(tmp_path / "data")) as opened:
        write(opened, opened.create_collection(INFO), 60)
        opened.delete(1, ["4", 7])
        yield opened


@pytest.fixture
def snapshot(store: Store, tmp_path: Path) -> Path:
    path = tmp_path / "cats.snapshot"
    assert store.write_snapshot(1, path) == 58
    return path


def write(store: Store, number: int, count: int, first: int = 0) -> None:
    vectors = np.random.default_rng(SEED).standard_normal((count, 64), dtype=np.float32)
    points = [
        Point(
            i if i % 2 else str(i),
            vectors[i - first],
            f"cat number {i} žlutý" if i % 3 else None,
            {"n": i, "deep": [{"x": "y"}]} if i % 5 else None,
        )
        for i in range(first, first + count)
    ]
    store.upsert(number, pack(points, vectors, "model"), LIMIT)


def content(store: Store, number: int) -> Content:
    """All points in the order of writing."""
    found = store.points_by_row(number, store.live_rows(number))
    return [(p.id, p.vector.tobytes(), p.text, p.metadata) for _, p in sorted(found.items())]


def test_a_restored_collection_is_the_same(store: Store, snapshot: Path) -> None:
    number = store.restore(snapshot, "again", LIMIT)
    info = store.collections()[number]
    assert (info.name, info.index, info.storage, info.description, info.count) == (
        "again",
        "hnsw",
        "int8",
        "of cats",
        58,
    )
    assert content(store, number) == content(store, 1)
    assert len(store.matching_rows(number, MatchAny("n", (8,)))) == 1
    assert len(store.lexical(number, "cats", 100)) == len(store.lexical(1, "cats", 100)) > 30
    assert store.points_by_id(number, ["8"])[0].metadata == {"n": 8, "deep": [{"x": "y"}]}


def test_a_snapshot_restores_into_another_store(snapshot: Path, store: Store, tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "other")) as other:
        number = other.restore(snapshot, "cats", LIMIT)
        assert content(other, number) == content(store, 1)
    with closing(Store.open(tmp_path / "other")) as other:
        assert content(other, number) == content(store, 1)


def test_the_same_collection_gives_the_same_file(store: Store, snapshot: Path, tmp_path: Path) -> None:
    store.write_snapshot(1, tmp_path / "second")
    assert (tmp_path / "second").read_bytes() == snapshot.read_bytes()


def test_a_restored_collection_takes_the_place_of_another_with_its_aliases(store: Store, snapshot: Path) -> None:
    before = content(store, 1)
    store.set_alias("pets", 1)
    write(store, 1, 5, 100)
    number = store.restore(snapshot, "cats", LIMIT, replacing=1)
    assert set(store.collections()) == {number}
    assert store.aliases() == {"pets": number}
    assert content(store, number) == before
    assert len(store.lexical(number, "cats", 100)) == 38


def test_it_is_a_moment_while_writes_go_on(store: Store, tmp_path: Path) -> None:
    """Batches of ten: a snapshot has all of a batch or nothing of it."""
    done = threading.Event()

    def write_on() -> None:
        for first in range(100, 600, 10):
            write(store, 1, 10, first)
        done.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    counts: list[int] = []
    while not done.is_set() or not counts:
        store.write_snapshot(1, tmp_path / "moment")
        with snapshot_file.opened(tmp_path / "moment") as (info, points):
            counts.append(len(list(points)))
            assert counts[-1] == info.count
    writer.join()
    assert counts == sorted(counts)
    assert all(count % 10 == 8 for count in counts)


def test_a_snapshot_replaces_an_older_one_only_when_it_is_whole(
    store: Store, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot.read_bytes()
    with store._database.writing() as connection:
        connection.execute("UPDATE points SET text = 'other' WHERE row = 50")
    with pytest.raises(Unavailable, match="row 50 is damaged"):
        store.write_snapshot(1, snapshot)
    with pytest.raises(NotFound):
        store.write_snapshot(9, snapshot)
    assert snapshot.read_bytes() == before
    assert [path.name for path in snapshot.parent.iterdir() if path.is_file()] == [snapshot.name]


def test_a_snapshot_that_was_cut_short_is_begun_anew(store: Store, snapshot: Path) -> None:
    before = snapshot.read_bytes()
    (snapshot.parent / f".{snapshot.name}.new").write_bytes(b"half a file")
    store.write_snapshot(1, snapshot)
    assert snapshot.read_bytes() == before


def test_over_the_limit_nothing_is_restored(store: Store, snapshot: Path) -> None:
    with pytest.raises(StorageFull, match="over its limit of 100"):
        store.restore(snapshot, "again", 100)
    assert list(store.collections()) == [1]
    assert len(content(store, store.restore(snapshot, "cats", 58, replacing=1))) == 58


def flip_bit(content: bytearray, draw: random.Random) -> None:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def zero_page(content: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(content) // PAGE) * PAGE
    content[start : start + PAGE] = bytes(PAGE)


def truncate(content: bytearray, draw: random.Random) -> None:
    del content[draw.randrange(len(content)) :]


def swap_pages(content: bytearray, draw: random.Random) -> None:
    first, second = (slice(page * PAGE, (page + 1) * PAGE) for page in draw.sample(range(len(content) // PAGE), 2))
    content[first], content[second] = content[second], content[first]


@pytest.mark.parametrize("damage", [flip_bit, zero_page, truncate, swap_pages])
def test_a_damaged_snapshot_is_refused_or_harmless(store: Store, snapshot: Path, damage: Damage) -> None:
    whole, expected = snapshot.read_bytes(), content(store, 1)
    draw = random.Random(SEED)
    refused = 0
    for mutation in range(MUTATIONS):
        changed = bytearray(whole)
        damage(changed, draw)
        snapshot.write_bytes(changed)
        try:
            number = store.restore(snapshot, "again", LIMIT)
        except InvalidInput:
            refused += 1
            assert list(store.collections()) == [1], f"seed {SEED}, mutation {mutation}"
        else:
            assert content(store, number) == expected, f"seed {SEED}, mutation {mutation}"
            store.drop_collection(number)
    assert refused > MUTATIONS // 3


@pytest.mark.parametrize("damage", ["missing", "a directory", "empty", "text", "a store", "another program's"])
def test_what_is_no_snapshot_is_refused(store: Store, snapshot: Path, damage: str) -> None:
    snapshot.unlink()
    if damage == "a directory":
        snapshot.mkdir()
    elif damage == "another program's":
        with closing(sqlite3.connect(snapshot)) as other:
            other.execute("CREATE TABLE points (row)")
    elif damage == "a store":
        snapshot.write_bytes(store.path.read_bytes())
    elif damage != "missing":
        snapshot.write_bytes(b"" if damage == "empty" else b"no database at all, but long enough to look like one" * 99)
    with pytest.raises(InvalidInput, match="is damaged, or is none"):
        store.restore(snapshot, "again", LIMIT)
    assert list(store.collections()) == [1]


def test_a_newer_snapshot_is_refused(store: Store, snapshot: Path) -> None:
    with closing(apsw.Connection(str(snapshot))) as made_up:
        made_up.pragma("user_version", 2)
    with pytest.raises(InvalidInput, match="written by a newer mcse"):
        store.restore(snapshot, "again", LIMIT)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM points WHERE row = 3", "points are missing"),
        ("UPDATE points SET row = 99 WHERE row = 3", "another order"),
        (
            "INSERT INTO points (id, text, vector, digest) SELECT 'x', text, vector, digest FROM points LIMIT 1",
            "row 59",
        ),
        ("UPDATE points SET metadata = NULL WHERE row = 3", "row 3 is damaged"),
        ("UPDATE collection SET metric = 'cosine'", "the description"),
        ("UPDATE collection SET live_count = 57", "points are missing"),
        ("UPDATE collection SET live_count = 59", "points are missing"),
        ("UPDATE collection SET whole = x'00'", "points are missing"),
        ("DELETE FROM collection", "the description"),
        ("ALTER TABLE points RENAME TO p; CREATE VIEW points AS SELECT * FROM p, p", "other tables"),
    ],
)
def test_a_change_behind_our_back_is_refused(store: Store, snapshot: Path, change: str, reason: str) -> None:
    with closing(apsw.Connection(str(snapshot))) as other:
        other.execute(change)
    with pytest.raises(InvalidInput, match=reason):
        store.restore(snapshot, "again", LIMIT)
    assert list(store.collections()) == [1]


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("vector", np.full(64, np.nan, np.float32).tobytes()),
        ("vector", bytes(64)),
        ("vector", b"123"),
        ("metadata", b"[1, 2]"),
        ("metadata", b"{"),
        ("metadata", b'{"a":' * 2_000 + b"1" + b"}" * 2_000),
        ("text", b"\xff\xfe"),
        ("id", b"another"),
    ],
)
def test_a_made_up_file_with_right_digests_is_refused(store: Store, snapshot: Path, changed: str, value: bytes) -> None:
    """Digests tell of accidents; what somebody made up must still be possible."""
    with closing(apsw.Connection(str(snapshot))) as made_up:
        rows: list[Any] = made_up.execute(snapshot_file.SELECT).fetchall()
        place = {"id": 3, "text": 4, "vector": 5, "metadata": 6}[changed]
        for row in (1, 2):  # both, so that the id is there twice
            made_up_row = [*rows[row]]
            made_up_row[2], made_up_row[place] = "text", value
            made_up_row[7] = digest_of_row(b"model", b"text", *made_up_row[3:7])
            rows[row] = tuple(made_up_row)
            made_up.execute(
                "UPDATE points SET id = CAST(? AS TEXT), text = CAST(? AS TEXT), vector = ?,"
                " metadata = CAST(? AS TEXT), digest = ? WHERE row = ?",
                (*made_up_row[3:], row + 1),
            )
        info = info_in(made_up)
        whole = snapshot_file.Whole(info)
        whole.update(rows)
        made_up.execute("UPDATE collection SET whole = ?", (whole.digest(),))
    with pytest.raises(InvalidInput):
        store.restore(snapshot, "again", LIMIT)
    assert list(store.collections()) == [1]


def info_in(connection: apsw.Connection) -> CollectionInfo:
    found: Any = connection.execute("SELECT * FROM collection").fetchone()
    info = CollectionInfo(*found[:10])
    assert found[10] == catalog.digest_of_collection(info)
    return info
