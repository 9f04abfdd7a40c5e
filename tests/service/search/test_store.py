"""What the truth keeps, and what it does not mix up."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.errors import StorageFull, Unavailable
from service.search.points import CollectionInfo, Point, PointId
from service.search.rows import NewRow, pack
from service.search.store import Store

INFO = CollectionInfo("cats", "sentence", "dot", 2, "model", "flat", "about cats", "2026-01-01T00:00:00Z", 0)
DOGS = replace(INFO, name="dogs")
LIMIT = 1_000
STRANGE_IDS: list[PointId] = [
    "1", 1, -1, 2**63 - 1, -(2**63), "", " ", "'; DROP TABLE points; --", '"', "\0", "a\0b", "a", "../../etc/passwd",
    "%2e%2e", "žlutý kůň", "猫", "🐈‍⬛", "\ufeff", "e\u0301", "\u00e9", "1.0", "01", "x" * 10_000,
]  # fmt: skip


def points(ids: Sequence[PointId], text: str = "text") -> list[NewRow]:
    made = [Point(point_id, np.array([number, 1], np.float32), text) for number, point_id in enumerate(ids)]
    return pack(made, np.stack([point.vector for point in made]), "model")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path)) as opened:
        yield opened


@pytest.fixture
def cats(store: Store) -> int:
    return store.create_collection(INFO)


def test_a_collection_is_kept_as_it_was_made(store: Store, cats: int) -> None:
    assert store.collections() == {cats: INFO}
    assert store.count(cats) == 0


def test_every_id_is_its_own(store: Store, cats: int) -> None:
    store.upsert(cats, points(STRANGE_IDS), LIMIT)
    found = store.points_by_id(cats, STRANGE_IDS)
    assert [(point.id, type(point.id)) for point in found] == [(one, type(one)) for one in STRANGE_IDS]
    assert [point.vector[0] for point in found] == list(range(len(STRANGE_IDS)))
    assert store.count(cats) == len(STRANGE_IDS)
    for left, point_id in reversed(list(enumerate(STRANGE_IDS))):
        assert len(store.delete(cats, [point_id])) == 1
        assert store.count(cats) == left


def test_texts_with_nul_and_quotes_come_back_whole(store: Store, cats: int) -> None:
    text = "a\0b'c\"d\\e\n{}%s🐈"
    store.upsert(cats, points(["a"], text), LIMIT)
    assert store.points_by_id(cats, ["a"])[0].text == text


def test_a_replaced_point_gets_a_new_row_number(store: Store, cats: int) -> None:
    first = store.upsert(cats, points(["a", "b"]), LIMIT)
    second = store.upsert(cats, points(["b", "c"], "new"), LIMIT)
    assert second.removed.tolist() == [first.rows[1]]
    assert min(second.rows) > max(first.rows)
    assert store.count(cats) == 3
    assert set(store.points_by_row(first.rows)) == {first.rows[0]}


def test_row_numbers_are_never_used_again_even_after_a_restart(tmp_path: Path) -> None:
    highest = 0
    for round_ in range(3):
        with closing(Store.open(tmp_path)) as store:
            number = store.create_collection(INFO) if round_ == 0 else 1
            rows = store.upsert(number, points(["a", "b"]), LIMIT).rows
            assert min(rows) > highest
            highest = max(rows)
            store.delete(number, ["a", "b"])


def test_over_the_limit_nothing_of_the_batch_is_kept(store: Store, cats: int) -> None:
    store.upsert(cats, points(["a", "b"]), 3)
    with pytest.raises(StorageFull, match="would have 4 points, over its limit of 3"):
        store.upsert(cats, points(["a", "c", "d"], "new"), 3)
    assert store.count(cats) == 2
    assert [point.text for point in store.points_by_id(cats, ["a", "c"])] == ["text"]
    assert len(store.upsert(cats, points(["a", "b"], "new"), 1).removed) == 2  # replacing needs no room


def test_the_limit_is_for_all_collections_together(store: Store, cats: int) -> None:
    dogs = store.create_collection(DOGS)
    store.upsert(cats, points(["a", "b"]), 3)
    with pytest.raises(StorageFull):
        store.upsert(dogs, points(["a", "b"]), 3)
    assert store.count(dogs) == 0


def test_collections_do_not_see_each_other(store: Store, cats: int) -> None:
    dogs = store.create_collection(DOGS)
    store.upsert(cats, points(["a"], "cat"), LIMIT)
    store.upsert(dogs, points(["a"], "dog"), LIMIT)
    assert store.points_by_id(dogs, ["a"])[0].text == "dog"
    assert store.drop_collection(cats) == 1
    assert store.points_by_id(dogs, ["a"])[0].text == "dog"
    assert store.count(cats) == 0


def test_deleting_twice_deletes_once(store: Store, cats: int) -> None:
    store.upsert(cats, points(["a"]), LIMIT)
    assert [len(store.delete(cats, ["a", "a"])), len(store.delete(cats, ["a"]))] == [1, 0]
    assert store.count(cats) == 0


def test_blocks_bring_every_row_once_in_order(store: Store, cats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.BLOCK", 4)
    dogs = store.create_collection(DOGS)
    for start in range(0, 10, 2):
        store.upsert((cats, dogs)[start // 2 % 2], points([start, start + 1]), LIMIT)
    blocks = list(store.blocks())
    for number, count in ((cats, 6), (dogs, 4)):
        rows = np.concatenate([block.rows for block in blocks if block.collection == number])
        assert len(rows) == count
        assert (np.diff(rows) > 0).all()
    assert {block.vectors.shape[1] for block in blocks} == {2}


def test_a_row_that_is_damaged_while_running_is_not_handed_out(store: Store, cats: int) -> None:
    rows = store.upsert(cats, points(["a"]), LIMIT).rows
    with store._database.writing() as connection:
        connection.execute("UPDATE points SET text = 'other'")
    for read in (lambda: store.points_by_id(cats, ["a"]), lambda: store.points_by_row(rows)):
        with pytest.raises(Unavailable, match="row 1 is damaged"):
            read()
