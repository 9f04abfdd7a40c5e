"""The work that can wait: indexes change their kind, lose dead places and are kept, and no answer changes by it."""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.search.embedded import tending
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.opening import index_path
from service.search.embedded.tending import Caretaker
from service.search.filters.model import Filter, Range
from service.search.indexes import graph
from service.search.indexes.ivf import IvfIndex
from service.search.points import IndexKind, Point, PointId, Search, Selection, Storage

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]
Open = Callable[..., Collections]
Write = Callable[..., None]
Settle = Callable[[StoredCollection], int]
Exact = Callable[..., list[list[PointId]]]

WAYS: list[tuple[IndexKind, Storage]] = [
    ("flat", "float32"),
    ("hnsw", "float32"),
    ("hnsw", "int8"),
    ("ivf", "float32"),
    ("ivf", "int8"),
    ("auto", "float32"),
    ("auto", "int8"),
]

pytestmark = [
    pytest.mark.skipif(not graph.is_available(), reason="the kernel is not built for this machine"),
    pytest.mark.usefixtures("small"),
]


@pytest.fixture
def untended(open_data: Open) -> Collections:
    return open_data(tended=False)


def unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def everything(cats: StoredCollection, queries: Vectors, exact: Exact) -> tuple[object, ...]:
    """What must not depend on the index."""
    low = Filter(must=(Range("n", gte=100.0, lt=200.0),))
    filtered = cats.search(Search(queries, limit=5, filter=low, exact=True))
    return (
        exact(cats, queries),
        [[(hit.id, hit.text) for hit in hits] for hits in filtered],
        cats.count(Selection(filter=low)),
        [point.id for point in cats.scroll(limit=2_000).points],
        cats.agrees(),
    )


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_auto_goes_from_flat_to_the_graph_and_back(
    untended: Collections,
    storage: Storage,
    vectors: Make,
    write: Write,
    settle: Settle,
    exact: Exact,
) -> None:
    cats = untended.create("cats", space="sentence", storage=storage)
    queries, made = vectors(10), vectors(500)
    write(cats, made[:399])
    settle(cats)
    assert cats.report().kind == "flat"
    write(cats, made[399:], 399)
    before = everything(cats, queries, exact)
    settle(cats)
    assert (cats.report().kind, cats.contents.index.exact_scores) == ("hnsw", storage == "float32")
    assert everything(cats, queries, exact) == before
    cats.delete(Selection([*range(200, 500)]))
    settle(cats)
    assert cats.report().kind == "hnsw"
    cats.delete(Selection([0]))
    before = everything(cats, queries, exact)
    settle(cats)
    assert (cats.report().kind, cats.contents.view.generation) == ("flat", 3)
    assert everything(cats, queries, exact) == before


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_dead_places_go_and_no_answer_changes(
    untended: Collections,
    index: IndexKind,
    storage: Storage,
    vectors: Make,
    write: Write,
    settle: Settle,
    exact: Exact,
) -> None:
    cats = untended.create("cats", space="sentence", index=index, storage=storage)
    write(cats, vectors(900))
    settle(cats)
    write(cats, vectors(200), 100)  # replaced
    cats.delete(Selection([*range(600, 900, 2)]))
    queries = vectors(10)
    before = everything(cats, queries, exact)
    assert cats.report().deleted_share == pytest.approx(350 / 1_100)
    generation = cats.contents.view.generation
    settle(cats)
    assert (cats.report().deleted_share, cats.contents.view.generation) == (0.0, generation + 1)
    assert everything(cats, queries, exact) == before


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_ivf_gets_more_lists_when_there_are_many_more_points(
    untended: Collections, storage: Storage, vectors: Make, write: Write, settle: Settle, exact: Exact
) -> None:
    cats = untended.create("cats", space="sentence", index="ivf", storage=storage)
    lists = []
    for first, count in ((0, 399), (399, 1), (400, 800), (1_200, 100)):
        write(cats, vectors(count), first)
        queries = vectors(5)
        before = everything(cats, queries, exact)
        settle(cats)
        index = cats.contents.index
        lists.append(index.lists if isinstance(index, IvfIndex) else 0)
        assert everything(cats, queries, exact) == before
    assert lists == [0, 8, 8, 26]


class Busy:
    """Changes a collection whenever a rebuild asks whether to stop, and knows what must be there then."""

    def __init__(self, cats: StoredCollection, made: Vectors, rounds: int) -> None:
        self.cats, self.made, self.rounds, self.done = cats, made, rounds, 0
        self.expected: dict[PointId, Vectors] = dict(enumerate(made[:600]))

    def __call__(self) -> bool:
        if self.done < self.rounds:
            self.change()
        return False

    def change(self) -> None:
        self.done += 1
        fresh = self.made[600 + 20 * self.done :][:20]
        here = [*self.expected]
        replaced = [here[(37 * self.done + n) % len(here)] for n in range(10)]
        points = [*replaced, *(f"{self.done}-{n}" for n in range(10))]
        self.cats.upsert([Point(key, vector, f"{key}") for key, vector in zip(points, fresh, strict=True)])
        self.expected.update(zip(points, fresh, strict=True))
        gone = [here[(53 * self.done + n) % len(here)] for n in range(5)] + [f"{self.done}-0"]
        self.cats.delete(Selection(gone))
        for key in gone:
            self.expected.pop(key, None)
        self.cats.set_metadata(Selection([here[1] if here[1] in self.expected else f"{self.done}-1"]), {"r": self.done})

    def check(self, queries: Vectors) -> None:
        assert self.done == self.rounds
        assert {point.id for point in self.cats.scroll(limit=5_000).points} == set(self.expected)
        keys, stored = [*self.expected], unit(np.stack([*self.expected.values()]))
        hits = self.cats.search(Search(queries, limit=len(keys), exact=True, with_text=False, with_metadata=False))
        for found, scores in zip(hits, unit(queries) @ stored.T, strict=True):
            assert [hit.score for hit in found] == pytest.approx(np.sort(scores)[::-1].tolist(), abs=1e-5)
            right = dict(zip(keys, scores.tolist(), strict=True))
            assert [hit.score for hit in found] == pytest.approx([right[hit.id] for hit in found], abs=1e-5)
        assert self.cats.agrees()


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_a_rebuild_beside_writes_replacements_and_deletes_loses_nothing(
    untended: Collections, index: IndexKind, storage: Storage, vectors: Make, settle: Settle
) -> None:
    cats = untended.create("cats", space="sentence", index=index, storage=storage)
    busy = Busy(cats, vectors(1_200), rounds=25)
    cats.upsert([Point(n, vector) for n, vector in enumerate(busy.made[:600])])
    settle(cats)
    dead = busy.made[:400]
    cats.upsert([Point(n, vector) for n, vector in enumerate(dead)])  # so many dead places that a rebuild is due
    generation = cats.contents.view.generation
    while cats.contents.view.generation == generation:
        assert tending.tend(cats, busy)
    assert busy.done > 0
    while busy.done < busy.rounds:
        busy.change()
    busy.check(vectors(5))
    settle(cats)
    busy.check(vectors(5))


def test_a_rebuild_on_another_thread_loses_nothing(untended: Collections, vectors: Make, settle: Settle) -> None:
    cats = untended.create("cats", space="sentence", storage="int8")
    busy = Busy(cats, vectors(1_840), rounds=60)
    cats.upsert([Point(n, vector) for n, vector in enumerate(busy.made[:600])])
    caretaker = Caretaker(lambda: [cats])
    caretaker.start()
    while busy.done < busy.rounds:
        busy.change()
        hits = cats.search(Search(unit(busy.made[600 + 20 * busy.done + 15 :][:1]), limit=1))
        assert hits[0][0].id == f"{busy.done}-5"
    caretaker.stop()
    settle(cats)
    assert cats.report().kind == "hnsw"
    busy.check(vectors(5))


def test_a_rebuild_that_is_told_to_stop_changes_nothing(untended: Collections, vectors: Make, write: Write) -> None:
    cats = untended.create("cats", space="sentence")
    write(cats, vectors(500))
    before = cats.contents
    assert tending.tend(cats, lambda: True)
    assert cats.contents is before
    assert not cats.building


@pytest.mark.parametrize("phase", ["taking over", "linking"])
def test_the_caretaker_stops_within_a_second_in_the_middle_of_a_rebuild(
    open_data: Open, vectors: Make, write: Write, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    slow = threading.Event()
    with monkeypatch.context() as change:
        if phase == "linking":
            change.setattr(graph, "LINK_AT_ONCE", 1)
        else:
            change.setattr(tending, "_stored_vectors", slowly(tending._stored_vectors, slow))
        collections = open_data(max_points=50_000)
        cats = collections.create(
            "cats", space="sentence", index="hnsw" if phase == "taking over" else "auto", storage="int8"
        )
        write(cats, vectors(3_000))
        if phase == "taking over":
            wait_for(lambda: not cats.contents.index.unfinished())
            slow.set()
            cats.delete(Selection([*range(1_500)]))
        wait_for(lambda: cats.building)
        began = time.monotonic()
        collections.close()
        assert time.monotonic() - began < 1
    again = open_data(max_points=50_000, tended=False)
    assert again.get("cats").count() == (1_500 if phase == "taking over" else 3_000)
    assert again.verify() == []


def slowly(read: Callable[..., object], slow: threading.Event) -> Callable[..., object]:
    """The store on a disk that takes a tenth of a second for each chunk."""

    def wrapped(*given: object) -> object:
        if slow.is_set():
            time.sleep(0.1)
        return read(*given)

    return wrapped


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.001)


def test_the_caretaker_does_what_is_due_by_itself(open_data: Open, vectors: Make, write: Write) -> None:
    collections = open_data()
    cats = collections.create("cats", space="sentence")
    write(cats, vectors(500))
    wait_for(lambda: index_path(cats).is_file())
    report = cats.report()
    assert (report.kind, report.building) == ("hnsw", False)


def test_the_caretaker_keeps_what_is_new_when_it_stops(open_data: Open, vectors: Make, write: Write) -> None:
    collections = open_data()
    cats = collections.create("cats", space="sentence")
    write(cats, vectors(500))
    wait_for(lambda: cats.kept_count == 500)
    write(cats, vectors(5), 500)
    collections.close()
    assert cats.kept_count == 505
    again = open_data(tended=False).get("cats")
    assert (again.unverified, again.kept_count, again.count()) == (True, 505, 505)


def test_an_index_is_kept_once_and_again_after_a_tenth_more(
    untended: Collections, vectors: Make, write: Write, settle: Settle
) -> None:
    cats = untended.create("cats", space="sentence", index="hnsw")
    write(cats, vectors(99))
    settle(cats)
    assert not index_path(cats).exists()
    kept = []
    for first, count in ((99, 101), (200, 20), (220, 5)):
        write(cats, vectors(count), first)
        settle(cats)
        kept.append((cats.kept_count, cats.store.recorded_index(cats.number)))
    assert [count for count, _ in kept] == [200, 200, 225]
    assert len({token for _, token in kept}) == 2
    assert tending.tend(cats) is False


def test_an_exact_index_is_not_kept(untended: Collections, vectors: Make, write: Write, settle: Settle) -> None:
    cats = untended.create("cats", space="sentence", index="flat")
    write(cats, vectors(300))
    assert settle(cats) == 0
    assert not index_path(cats).exists()


def test_a_disk_that_takes_no_index_is_told_of_and_harms_nothing(
    untended: Collections, vectors: Make, write: Write, settle: Settle, caplog: pytest.LogCaptureFixture
) -> None:
    cats = untended.create("cats", space="sentence", index="hnsw")
    write(cats, vectors(200))
    index_path(cats).parent.write_text("a file where the folder should be")
    settle(cats)
    assert [record.message for record in caplog.records] == ["index not kept"]
    assert (cats.kept_count, cats.agrees()) == (200, True)


def test_a_dropped_collection_is_left_alone(untended: Collections, vectors: Make, write: Write) -> None:
    cats = untended.create("cats", space="sentence")
    write(cats, vectors(500))
    untended.drop("cats")
    assert tending.tend(cats) is False


def damage(cats: StoredCollection) -> None:
    with cats.store._database.writing() as connection:
        connection.execute("UPDATE points SET text = 'another' WHERE id = 250")


def reopened(
    open_data: Open, vectors: Make, write: Write, settle: Settle, then: Callable[[StoredCollection], object]
) -> Collections:
    collections = open_data(tended=False)
    cats = collections.create("cats", space="sentence", index="hnsw")
    write(cats, vectors(300))
    settle(cats)
    then(cats)
    collections.close()
    return open_data(tended=False)


def test_a_start_with_a_kept_index_is_followed_by_a_look_at_every_row(
    open_data: Open, vectors: Make, write: Write, settle: Settle
) -> None:
    collections = reopened(open_data, vectors, write, settle, StoredCollection.info)
    cats = collections.get("cats")
    assert (cats.unverified, settle(cats)) == (True, 1)
    assert (cats.unverified, cats.damage, collections.verify()) == (False, None, [])


def test_a_row_that_was_damaged_meanwhile_is_told_of_by_verify(
    open_data: Open, vectors: Make, write: Write, settle: Settle, caplog: pytest.LogCaptureFixture
) -> None:
    collections = reopened(open_data, vectors, write, settle, damage)
    cats = collections.get("cats")
    assert collections.verify() == []
    settle(cats)
    assert collections.verify() == ["damaged:cats"]
    assert (cats.damage or "").endswith("is damaged")
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["collection damaged"]


def test_a_look_at_every_row_that_is_told_to_stop_is_begun_again(
    open_data: Open, vectors: Make, write: Write, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.search.store.reading.BLOCK", 64)
    collections = reopened(open_data, vectors, write, settle, damage)
    cats = collections.get("cats")
    tending.tend(cats, lambda: True)
    assert (cats.unverified, cats.damage) == (True, None)
    settle(cats)
    assert collections.verify() == ["damaged:cats"]


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_recall_is_measured_and_reported(
    untended: Collections, index: IndexKind, storage: Storage, vectors: Make, write: Write, settle: Settle
) -> None:
    cats = untended.create("cats", space="sentence", index=index, storage=storage)
    assert cats.report(measure=True).recall in (None, 1.0)
    write(cats, vectors(800))
    settle(cats)
    if index != "flat":
        assert cats.report().recall is None
    measured = cats.report(measure=True).recall
    assert measured is not None
    assert 0.8 < measured <= 1
    assert cats.report().recall == measured


def test_a_poor_index_has_a_recall_below_one(
    untended: Collections, vectors: Make, write: Write, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.search.indexes.ivf.PROBED_SHARE", 0.01)
    monkeypatch.setattr("service.search.indexes.ivf.SCAN_AT_MOST", 0)
    cats = untended.create("cats", space="sentence", index="ivf")
    write(cats, vectors(1_000))
    settle(cats)
    measured = cats.report(measure=True).recall
    assert measured is not None
    assert 0.1 < measured < 0.8


def test_an_index_that_is_being_built_says_so(untended: Collections, vectors: Make, write: Write) -> None:
    cats = untended.create("cats", space="sentence")
    write(cats, vectors(500))
    seen = []

    def look() -> bool:
        seen.append((cats.report().kind, cats.report().building))
        return False

    assert not cats.report().building
    tending.tend(cats, look)
    assert set(seen) == {("flat", True)}
    assert (cats.report().kind, cats.report().building) == ("hnsw", False)
