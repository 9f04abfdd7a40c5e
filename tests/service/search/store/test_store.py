"""What the truth keeps, and what it does not mix up."""

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from service.search.filters.model import HasValue, MatchAny
from service.search.points import CollectionInfo, Metadata, Point, PointId
from service.search.store.rows import NewRow, pack
from service.search.store.store import Store

INFO = CollectionInfo("cats", "sentence", "dot", 2, "model", "hnsw", "int8", "about cats", "2026-01-01T00:00:00Z", 0)
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
    assert set(store.points_by_row(cats, first.rows)) == {first.rows[0]}


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


def test_blocks_bring_every_row_of_a_collection_once_in_order(
    store: Store, cats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.search.store.reading.BLOCK", 4)
    dogs = store.create_collection(DOGS)
    for start in range(0, 10, 2):
        store.upsert((cats, dogs)[start // 2 % 2], points([start, start + 1]), LIMIT)
    for number, ids in ((cats, [0, 1, 4, 5, 8, 9]), (dogs, [2, 3, 6, 7])):
        blocks = list(store.blocks(number))
        assert [point_id for block in blocks for point_id in block.ids] == ids
        rows = np.concatenate([block.rows for block in blocks])
        assert rows.tolist() == store.live_rows(number).tolist() == store.rows_of_ids(number, ids).tolist()
        assert (np.diff(rows) > 0).all()
        assert np.concatenate([block.vectors for block in blocks]).tolist() == [[i % 2, 1] for i in ids]
        assert [row for block in store.blocks(number, int(rows[1])) for row in block.rows] == rows[2:].tolist()
    with pytest.raises(NotFound):
        next(store.blocks(99))


def test_a_block_knows_when_a_point_is_missing(store: Store, cats: int) -> None:
    store.upsert(cats, points(["a", "b", "c"]), LIMIT)
    with store._database.writing() as connection:
        connection.execute("DELETE FROM points WHERE id = 'a'")
    for after in (0, 2, 3):
        with pytest.raises(Unavailable, match='collection "cats" has 2 points, its count says 3'):
            list(store.blocks(cats, after))


def test_a_row_that_is_damaged_while_running_is_not_handed_out(store: Store, cats: int) -> None:
    rows = store.upsert(cats, points(["a"]), LIMIT).rows
    with store._database.writing() as connection:
        connection.execute("UPDATE points SET text = 'other'")
    for read in (lambda: store.points_by_id(cats, ["a"]), lambda: store.points_by_row(cats, rows)):
        with pytest.raises(Unavailable, match="row 1 is damaged"):
            read()


def test_an_old_point_is_left_alone_when_the_write_says_skip(store: Store, cats: int) -> None:
    first = store.upsert(cats, points(["a", "b"], "old"), LIMIT)
    second = store.upsert(cats, points(["c", "b", "d", "a"], "new"), LIMIT, "skip")
    assert second.skipped == (1, 3)
    assert len(second.removed) == 0
    assert second.rows.tolist() == [max(first.rows) + 1, max(first.rows) + 2]
    assert [point.text for point in store.points_by_id(cats, ["a", "b", "c", "d"])] == ["old", "old", "new", "new"]


def test_a_write_that_says_error_is_refused_as_a_whole(store: Store, cats: int) -> None:
    store.upsert(cats, points(["b", "c"], "old"), LIMIT)
    with pytest.raises(Conflict, match=r"points\[1\] has an id that is there already; nothing was written"):
        store.upsert(cats, points(["a", "b", "c"], "new"), LIMIT, "error")
    assert store.count(cats) == 2
    assert len(store.upsert(cats, points(["a"], "new"), LIMIT, "error").rows) == 1


def test_rows_are_deleted_by_their_numbers(store: Store, cats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.writing.CHUNK", 3)
    dogs = store.create_collection(DOGS)
    rows = store.upsert(cats, points(range(10)), LIMIT).rows
    others = store.upsert(dogs, points(range(3)), LIMIT).rows
    wanted = np.concatenate([rows[::-2], others, [10**9], rows[:1]])
    assert store.delete_rows(cats, wanted).tolist() == sorted([*rows[1::2], rows[0]])
    assert store.live_rows(cats).tolist() == rows[2::2].tolist()
    assert (store.count(cats), store.count(dogs)) == (4, 3)
    assert len(store.delete_rows(cats, np.empty(0, np.int64))) == 0


def test_changed_metadata_comes_in_new_rows(store: Store, cats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.search.store.writing.CHUNK", 2)
    made = [Point(i, np.array([i, 1], np.float32), f"text {i}", {"n": i} if i else None) for i in range(6)]
    rows = store.upsert(cats, pack(made, np.stack([point.vector for point in made]), "model"), LIMIT).rows

    def change(metadata: Metadata) -> Metadata:
        return metadata if metadata.get("n") in (3, None) else {**metadata, "new": True}

    written = store.replace_metadata(cats, rows, change)
    assert written.removed.tolist() == rows[[1, 2, 4, 5]].tolist()
    assert min(written.rows) > max(rows)
    after = store.points_by_row(cats, written.rows)
    assert [after[row].id for row in written.rows.tolist()] == [1, 2, 4, 5]
    assert [(point.text, point.metadata) for point in store.points_by_id(cats, range(6))] == [
        (f"text {i}", {"n": i, "new": True} if i in (1, 2, 4, 5) else made[i].metadata) for i in range(6)
    ]
    assert store.matching_rows(cats, MatchAny("new", (True,))).tolist() == sorted(written.rows.tolist())
    assert store.count(cats) == 6


def test_true_is_another_value_than_one(store: Store, cats: int) -> None:
    made = [Point("a", np.ones(2, np.float32), None, {"n": 1})]
    rows = store.upsert(cats, pack(made, np.ones((1, 2), np.float32), "model"), LIMIT).rows
    assert len(store.replace_metadata(cats, rows, lambda _: {"n": True}).rows) == 1
    assert store.points_by_id(cats, ["a"])[0].metadata == {"n": True}


def test_a_change_that_fails_changes_nothing(store: Store, cats: int) -> None:
    rows = store.upsert(cats, points(range(5)), LIMIT).rows
    calls = iter(range(3))

    def change(metadata: Metadata) -> Metadata:
        if next(calls, None) is None:
            raise InvalidInput("too large")
        return {**metadata, "new": 1}

    with pytest.raises(InvalidInput, match="too large"):
        store.replace_metadata(cats, rows, change)
    assert store.live_rows(cats).tolist() == rows.tolist()
    assert len(store.matching_rows(cats, HasValue("new"))) == 0


def test_vectors_and_metadata_are_read_by_row(store: Store, cats: int) -> None:
    made = [Point(i, np.array([i, 1], np.float32), None, {"n": i} if i % 2 else None) for i in range(5)]
    rows = store.upsert(cats, pack(made, np.stack([point.vector for point in made]), "model"), LIMIT).rows
    found, vectors = store.vectors_by_row(cats, np.concatenate([rows[[4, 0, 2]], [99]]))
    assert (found.tolist(), vectors.tolist()) == (rows[[0, 2, 4]].tolist(), [[0, 1], [2, 1], [4, 1]])
    assert [store.vectors_by_row(cats, none)[1].shape for none in (np.empty(0, np.int64), np.array([99]))] == [
        (0, 2)
    ] * 2
    assert list(store.metadata_after(cats, int(rows[2]))) == [(rows[3], {"n": 3}), (rows[4], None)]
    assert store.rows_after(cats, int(rows[0]), 2).tolist() == rows[1:3].tolist()


def test_an_alias_stands_for_one_collection_at_a_time(store: Store, cats: int) -> None:
    dogs = store.create_collection(DOGS)
    store.set_alias("pets", cats)
    store.set_alias("felines", cats)
    store.set_alias("pets", dogs)
    assert store.aliases() == {"felines": cats, "pets": dogs}
    store.drop_collection(cats)
    assert store.aliases() == {"pets": dogs}
    with pytest.raises(NotFound):
        store.set_alias("felines", cats)
    assert [store.delete_alias("pets"), store.delete_alias("pets")] == [True, False]


def test_what_an_index_file_must_know_is_kept(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        number = store.create_collection(INFO)
        identity, before = store.identity, store.last_change(number)
        assert store.recorded_index(number) is None
        store.record_index(number, "token")
        store.upsert(number, points(["a"]), LIMIT)
        assert store.last_change(number) > before
    with closing(Store.open(tmp_path)) as store:
        assert (store.identity, store.recorded_index(number)) == (identity, "token")
    with closing(Store.open(tmp_path / "other")) as other:
        assert other.identity != identity


def test_fields_and_words_keep_in_step_through_all_writes(tmp_path: Path) -> None:
    """Whatever is written, they are what a rebuild makes of the points."""
    draw = random.Random(1)
    with closing(Store.open(tmp_path)) as store:
        numbers = [store.create_collection(INFO), store.create_collection(DOGS)]
        for _ in range(60):
            number, ids = draw.choice(numbers), draw.sample(range(40), draw.randint(1, 12))
            made = [random_point(i, draw) for i in ids]
            match draw.randrange(4):
                case 0 | 1:
                    packed = pack(made, np.stack([point.vector for point in made]), "model")
                    store.upsert(number, packed, LIMIT, draw.choice(["replace", "skip"]))
                case 2:
                    store.delete(number, ids)
                case 3:
                    store.replace_metadata(number, store.rows_of_ids(number, ids), lambda m: {**m, "x": draw.random()})
        kept = derived_content(store)
        assert min(len(content) for content in kept[:2]) > 10
        with store._database.writing() as connection:
            connection.execute("UPDATE collections SET texts = -1")
    with closing(Store.open(tmp_path)) as store:
        assert derived_content(store) == kept
        assert store.drop_collection(numbers[0]) > 0
        assert {row[0] for row in derived_content(store)[0]} == {numbers[1]}


def random_point(point_id: int, draw: random.Random) -> Point:
    text = draw.choice([None, "", f"a cat {draw.randrange(5)}", "two dogs ran"])
    choices: list[Metadata | None] = [None, {}, {"n": draw.randrange(3)}, {"tags": ["a", "b"], "deep": {"x": 1}}]
    metadata = draw.choice(choices)
    return Point(point_id, np.array([point_id, 1], np.float32), text, metadata)


def derived_content(store: Store) -> list[list[tuple[object, ...]]]:
    """All fields, all words with the rows that have them, and what is counted of them."""
    with store._database.writing() as connection:
        words: list[tuple[object, ...]] = []
        for number in store.collections():
            connection.execute(f"CREATE VIRTUAL TABLE temp.look USING fts5vocab(main, words_{number}, instance)")
            words += [(number, *row) for row in connection.execute("SELECT term, doc, offset FROM look")]
            connection.execute("DROP TABLE temp.look")
        fields = connection.execute("SELECT * FROM fields").fetchall()
        counts = connection.execute("SELECT collection, texts, entries FROM collections").fetchall()
        return [fields, words, counts]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM fields WHERE row = 2",
        "INSERT INTO fields VALUES (1, 'n', 4, 7, 99)",
        "DELETE FROM words_1 WHERE rowid = 2",
        "INSERT INTO words_1 (rowid, text) VALUES (99, 'cat')",
        "UPDATE collections SET entries = entries + 1",
    ],
)
def test_tables_that_are_out_of_step_are_made_anew(tmp_path: Path, damage: str) -> None:
    made = [Point(i, np.array([i, 1], np.float32), f"cat {i}", {"n": i}) for i in range(4)]
    with closing(Store.open(tmp_path)) as store:
        rows = store.upsert(
            store.create_collection(INFO), pack(made, np.stack([point.vector for point in made]), "model"), LIMIT
        ).rows.tolist()
        before = derived_content(store)
        with store._database.writing() as connection:
            connection.execute(damage)
    with closing(Store.open(tmp_path)) as store:
        assert derived_content(store) == before
        assert store.matching_rows(1, MatchAny("n", (1,))).tolist() == rows[1:2]
        assert sorted(row for row, _ in store.lexical(1, "cats", 10)) == rows
