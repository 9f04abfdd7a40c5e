"""Make, find, list, drop and re-open collections."""

import re
import threading
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import Conflict, InvalidInput, NotFound, StoreError, Unavailable
from service.search.embedded.collection import StoredCollection as Collection
from service.search.embedded.collections import Collections
from service.search.points import Point, Search, Selection

Make: TypeAlias = Callable[..., NDArray[np.float32]]
Open: TypeAlias = Callable[..., Collections]


def test_a_new_collection_says_what_it_is(collections: Collections, fingerprint: str) -> None:
    info = collections.create("pictures", space="grounded", metric="dot", description="of cats").info()
    assert (info.name, info.space, info.metric, info.dimension) == ("pictures", "grounded", "dot", 4)
    assert (info.fingerprint, info.index, info.description, info.count) == (fingerprint, "auto", "of cats", 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", info.created_at)


@pytest.mark.parametrize("name", ["a", "9", "A.b_c-d", "x" * 128])
def test_good_names(collections: Collections, name: str) -> None:
    collections.create(name, space="sentence")
    assert collections.get(name).info().name == name


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a b", "a/b", "../a", "a\n", "é", "x" * 129, "a\0", "'"])
def test_bad_names_are_refused_without_repeating_them(collections: Collections, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: collections.create(name, space="sentence"),
        lambda: collections.get(name),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as refusal:
            call()
        assert refusal.value.message.startswith("The collection's name breaks the rule: 1 to 128 of")


def test_unknown_choices_are_refused_with_the_known_ones(collections: Collections) -> None:
    with pytest.raises(InvalidInput, match="no such space; expected one of: sentence, grounded"):
        collections.create("a", space="secret")
    with pytest.raises(InvalidInput, match="no such metric; expected one of: cosine, dot"):
        collections.create("a", space="sentence", metric="secret")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="The description has half a surrogate"):
        collections.create("a", space="sentence", description="\ud800")
    assert collections.list() == []


def test_a_name_is_given_once(collections: Collections) -> None:
    collections.create("cats", space="sentence")
    with pytest.raises(Conflict, match='"cats" exists already'):
        collections.create("cats", space="sentence")
    outcomes: list[str] = []

    def create() -> None:
        try:
            collections.create("dogs", space="sentence")
            outcomes.append("made")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]


def test_a_missing_collection_says_how_to_make_it(collections: Collections) -> None:
    with pytest.raises(NotFound, match='no collection "cats"; create it with PUT /collections/cats'):
        collections.get("cats")
    with pytest.raises(NotFound):
        collections.drop("cats")


def test_get_or_create_gives_the_same_collection(collections: Collections) -> None:
    first = collections.get_or_create("cats", space="sentence")
    assert collections.get_or_create("cats", space="sentence") is first
    with pytest.raises(Conflict, match="has space sentence and metric cosine, not sentence and dot"):
        collections.get_or_create("cats", space="sentence", metric="dot")


def answers(cats: Collection, queries: NDArray[np.float32]) -> list[object]:
    """Hits with scores to five digits: sums are added up in another order where points were deleted."""
    found = cats.search(Search(queries, limit=49))
    return [[(hit.id, round(hit.score, 5), hit.text) for hit in hits] for hits in found]


def test_everything_is_there_after_a_restart(open_data: Open, vectors: Make) -> None:
    first = open_data()
    stored = vectors(50)
    cats = first.create("cats", space="sentence", description="of cats")
    cats.upsert([Point(number, vector, f"cat {number}") for number, vector in enumerate(stored)])
    cats.delete(Selection([0]))
    first.create("empty", space="grounded")
    before = (first.list(), answers(cats, stored[:5]), cats.get([7])[0].vector.tolist())
    first.close()
    second = open_data()
    cats = second.get("cats")
    assert (second.list(), answers(cats, stored[:5]), cats.get([7])[0].vector.tolist()) == before
    assert second.verify() == []
    cats.upsert([Point("new", stored[0])])
    assert cats.search(Search(stored[:1], limit=1))[0][0].id == "new"


def test_a_dropped_collection_stays_away_and_its_name_is_free(open_data: Open, vectors: Make) -> None:
    first = open_data()
    first.create("cats", space="sentence").upsert([Point("a", vectors(1)[0])])
    first.create("dogs", space="sentence").upsert([Point("a", vectors(1)[0])])
    assert first.drop("cats") == 1
    assert [info.name for info in first.list()] == ["dogs"]
    assert first.create("cats", space="grounded").count() == 0
    first.close()
    assert [(info.name, info.count) for info in open_data().list()] == [("dogs", 1), ("cats", 0)]


def test_dropping_while_searches_and_writes_run_ends_them_with_not_found(
    collections: Collections, vectors: Make
) -> None:
    queries = vectors(4)
    outcomes: list[str] = []

    def run(call: Callable[[], object]) -> None:
        try:
            while True:
                call()
        except NotFound:
            outcomes.append("not found")

    for round_ in range(5):
        cats = collections.create("cats", space="sentence")
        cats.upsert([Point(number, vector) for number, vector in enumerate(vectors(200))])
        writes = (
            lambda cats=cats: cats.upsert([Point("a", queries[0])]),
            lambda cats=cats: cats.search(Search(queries, limit=50)),
        )
        threads = [threading.Thread(target=run, args=(call,)) for call in (*writes, writes[1])]
        for thread in threads:
            thread.start()
        assert collections.drop("cats") >= 200
        for thread in threads:
            thread.join()
        assert len(outcomes) == 3 * (round_ + 1)
    assert collections.verify() == []


def test_verify_names_what_fails(open_data: Open, vectors: Make) -> None:
    collections = open_data()
    cats = collections.create("cats", space="sentence")
    cats.upsert([Point("a", vectors(1)[0])])
    assert collections.verify() == []
    cats.store.delete(cats.number, ["a"])
    assert collections.verify() == ["index:cats"]
    collections.close()
    assert "readable" in collections.verify()


def test_after_closing_every_call_is_unavailable(collections: Collections, vectors: Make) -> None:
    cats = collections.create("cats", space="sentence")
    cats.upsert([Point("a", vectors(1)[0])])
    collections.close()
    for call in (cats.count, collections.list, lambda: cats.upsert([Point("a", vectors(1)[0])])):
        with pytest.raises(Unavailable):
            call()


def test_the_directory_is_free_again_after_a_failed_opening(open_data: Open) -> None:
    first = open_data()
    first.create("cats", space="sentence")
    with first._store._database.writing() as connection:
        connection.execute("UPDATE collections SET live_count = 1")
    first.close()
    for _ in range(2):
        with pytest.raises(StoreError, match='collection "cats" has 0 points, its count says 1'):
            open_data()
