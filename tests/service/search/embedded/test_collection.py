"""Write, find, replace and delete points."""

import threading
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from service.search.embedded.collection import StoredCollection as Collection
from service.search.embedded.collections import Collections
from service.search.filters.model import Filter
from service.search.points import Point, Search, Selection, Upserted

Vectors: TypeAlias = NDArray[np.float32]
Make: TypeAlias = Callable[..., Vectors]
Open: TypeAlias = Callable[..., Collections]


def axis(number: int, length: float = 1.0) -> Vectors:
    """A vector of width 8 along one axis."""
    vector = np.zeros(8, np.float32)
    vector[number] = length
    return vector


def test_what_was_written_is_found_with_its_text_and_metadata(cats: Collection) -> None:
    done = cats.upsert([Point("a", axis(0), "a cat", {"legs": 4}), Point(1, axis(1))])
    assert done == Upserted(("a", 1), inserted=2, replaced=0)
    [[best, other]] = cats.search(Search(axis(0)[None], limit=5))
    assert (best.id, best.score, best.text, best.metadata) == ("a", 1.0, "a cat", {"legs": 4})
    assert (other.id, other.score, other.text, other.metadata) == (1, 0.0, None, None)
    assert cats.count() == cats.info().count == 2


def test_cosine_stores_and_asks_with_unit_vectors(cats: Collection) -> None:
    cats.upsert([Point("long", axis(0, 100)), Point("short", axis(0, 0.01)), Point("aside", axis(0) + axis(1))])
    [hits] = cats.search(Search(axis(0, 7)[None], limit=3))
    assert [hit.id for hit in hits] == ["long", "short", "aside"]
    np.testing.assert_allclose([hit.score for hit in hits], [1, 1, 0.5**0.5], atol=1e-6)
    assert cats.get(["long"])[0].vector.tolist() == axis(0).tolist()


def test_dot_takes_vectors_as_they_are(collections: Collections) -> None:
    dots = collections.create("dots", space="sentence", metric="dot")
    dots.upsert([Point("short", axis(0)), Point("long", axis(0, 100)), Point("zero", axis(0, 0))])
    [hits] = dots.search(Search(axis(0, 2)[None], limit=3))
    assert [(hit.id, hit.score) for hit in hits] == [("long", 200), ("short", 2), ("zero", 0)]


def test_search_equals_brute_force(
    collections: Collections, vectors: Make, brute_force: Callable[..., tuple[Vectors, NDArray[np.int64]]]
) -> None:
    dots = collections.create("dots", space="sentence", metric="dot")
    stored = np.round(vectors(300) * 4)
    dots.upsert([Point(number, vector) for number, vector in enumerate(stored)])
    for k in (1, 10, 300, 305):
        scores, ids = brute_force(stored, stored[:20], k)
        answers = dots.search(Search(stored[:20], limit=k))
        assert [[hit.id for hit in hits] for hits in answers] == ids.tolist()
        assert [[hit.score for hit in hits] for hits in answers] == scores.tolist()


def test_a_replaced_point_is_only_found_by_its_new_vector(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0), "old"), Point("b", axis(1))])
    assert cats.upsert([Point("a", axis(2), "new"), Point("c", axis(3))]) == Upserted(("a", "c"), 1, 1)
    assert cats.search(Search(axis(0)[None], limit=9, score_threshold=0.5)) == [[]]
    [[hit]] = cats.search(Search(axis(2)[None], limit=9, score_threshold=0.5))
    assert (hit.id, hit.text, cats.count()) == ("a", "new", 3)


def test_a_deleted_point_is_gone(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0)), Point("b", axis(1))])
    assert cats.delete(Selection(["a", "missing", "a"])) == 1
    assert [[hit.id for hit in hits] for hits in cats.search(Search(axis(0)[None], limit=9))] == [["b"]]
    assert [point.id for point in cats.get(["a", "b"])] == ["b"]


def test_the_number_one_and_the_string_one_are_two_points(cats: Collection) -> None:
    cats.upsert([Point(1, axis(0)), Point("1", axis(1))])
    assert cats.delete(Selection([1])) == 1
    assert [point.id for point in cats.get([1, "1"])] == ["1"]


def test_get_answers_in_the_order_of_the_question(cats: Collection) -> None:
    cats.upsert([Point(number, axis(number)) for number in range(4)])
    assert [point.id for point in cats.get([3, 9, 0, 3])] == [3, 0, 3]


def test_score_threshold_cuts_each_answer(cats: Collection) -> None:
    cats.upsert([Point(number, axis(number)) for number in range(3)])
    answers = cats.search(Search(np.stack([axis(0), axis(7)]), limit=3, score_threshold=0.5))
    assert [[hit.id for hit in hits] for hits in answers] == [[0], []]


def test_nothing_to_do_is_done_at_once(cats: Collection, vectors: Make) -> None:
    assert cats.upsert([]) == Upserted((), 0, 0)
    assert (cats.delete(Selection([])), cats.get([])) == (0, [])
    assert cats.search(Search(vectors(2), limit=3)) == [[], []]
    assert cats.search(Search(vectors(0), limit=3)) == []


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Point("a", axis(1)), r"points\[1\] has the same id as points\[0\]; send each id once"),
        (
            Point("b", axis(1)[:5]),
            r"points\[1\]: the vector is float32 of shape \(5,\); expected float32 of shape \(8,",
        ),
        (Point("b", axis(1, np.nan)), r"points\[1\]: the vector has NaN or infinite numbers; expected finite ones"),
        (Point("b", axis(1, 0)), r"points\[1\]: the vector is all zeros"),
        (Point(2**64, axis(1)), r"points\[1\]: the id is not"),
    ],
    ids=["repeated id", "narrow", "nan", "zeros", "id too large"],
)
def test_one_wrong_point_refuses_the_whole_batch(cats: Collection, second: Point, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        cats.upsert([Point("a", axis(0)), second])
    assert (cats.count(), cats.agrees()) == (0, True)


@pytest.mark.parametrize(
    ("queries", "limit", "threshold"),
    [
        (axis(0), 1, None),
        (axis(0)[None, :5], 1, None),
        (axis(0, np.inf)[None], 1, None),
        (axis(0, 0)[None], 1, None),
        (axis(0)[None], 0, None),
        (axis(0)[None], 1, float("nan")),
    ],
    ids=["one axis", "narrow", "infinite", "zeros", "limit 0", "threshold nan"],
)
def test_wrong_searches_are_refused(cats: Collection, queries: Vectors, limit: int, threshold: float | None) -> None:
    with pytest.raises(InvalidInput):
        cats.search(Search(queries, limit=limit, score_threshold=threshold))


def test_ids_of_look_ups_are_checked_too(cats: Collection) -> None:
    for call in (cats.get, lambda ids: cats.delete(Selection(ids)), lambda ids: cats.count(Selection(ids))):
        with pytest.raises(InvalidInput, match=r"ids\[1\]: the id"):
            call(["a", 2**63])


def test_over_the_limit_the_store_is_full_and_still_answers(open_data: Open) -> None:
    cats = open_data(max_points=2).create("cats", space="sentence")
    cats.upsert([Point(0, axis(0)), Point(1, axis(1))])
    with pytest.raises(StorageFull, match="limit of 2"):
        cats.upsert([Point(2, axis(2))])
    assert [hit.id for hit in cats.search(Search(axis(0)[None], limit=9))[0]] == [0, 1]
    assert cats.agrees()


def test_another_model_is_refused_but_its_points_can_be_read_and_deleted(open_data: Open, fingerprint: str) -> None:
    first = open_data()
    first.create("cats", space="sentence").upsert([Point("a", axis(0)), Point("b", axis(1))])
    first.close()
    cats = open_data(fingerprint="feed" * 16).get("cats")
    for call in (lambda: cats.upsert([Point("a", axis(0))]), lambda: cats.search(Search(axis(0)[None], limit=1))):
        with pytest.raises(
            Conflict, match="made with model a1b2c3d4e5f6, and the running model is feedfeedfeed: re-embed"
        ):
            call()
    assert cats.info().fingerprint == fingerprint
    assert cats.get(["a"])[0].vector.tolist() == axis(0).tolist()
    assert (cats.delete(Selection(["a"])), cats.count(), cats.agrees()) == (1, 1, True)


def test_a_dropped_collection_says_so(collections: Collections, cats: Collection, vectors: Make) -> None:
    cats.upsert([Point("a", axis(0))])
    assert collections.drop("cats") == 1
    for call in (
        cats.count,
        cats.info,
        cats.drop,
        lambda: cats.upsert([Point("b", axis(0))]),
        lambda: cats.delete(Selection(["a"])),
        lambda: cats.get(["a"]),
        lambda: cats.search(Search(vectors(1), limit=1)),
    ):
        with pytest.raises(NotFound, match='"cats" was dropped'):
            call()
    assert cats.agrees()


def test_an_index_unlike_the_store_is_noticed_and_never_believed(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0)), Point("b", axis(1))])
    cats.store.delete(cats.number, ["a"])
    assert not cats.agrees()
    with pytest.raises(Unavailable, match="a restart of the service rebuilds it"):
        cats.search(Search(axis(0)[None], limit=1))


def test_searches_while_a_writer_replaces_everything_are_never_wrong(collections: Collections, vectors: Make) -> None:
    """Every point keeps its own axis; a wrong, missing or repeated hit shows at once."""
    dots = collections.create("dots", space="sentence", metric="dot")
    dots.upsert([Point(number, axis(number), "0") for number in range(8)])
    problems: list[object] = []
    stop = threading.Event()

    def searcher() -> None:
        while not stop.is_set():
            answers = dots.search(Search(np.eye(8, dtype=np.float32), limit=8))
            if [hits[0].id for hits in answers] != list(range(8)) or any(len(hits) != 8 for hits in answers):
                problems.append(answers)
            if len({hit.text for hits in answers for hit in hits}) != 1:
                problems.append("two generations in one answer")

    threads = [threading.Thread(target=searcher) for _ in range(2)]
    for thread in threads:
        thread.start()
    for generation in range(1, 150):
        dots.upsert([Point(number, axis(number, generation), str(generation)) for number in range(8)])
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert dots.agrees()


def test_writers_take_turns(cats: Collection) -> None:
    def write(number: int) -> None:
        for round_ in range(20):
            cats.upsert([Point("shared", axis(number % 8)), Point(f"{number}-{round_}", axis(number % 8))])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cats.count(), cats.agrees()) == (81, True)


def test_metadata_does_not_grow_over_the_limit(open_data: Open) -> None:
    cats = open_data(max_metadata_bytes=60).create("cats", space="sentence")
    cats.upsert([Point("a", axis(0), metadata={"name": "x" * 30}), Point("b", axis(1))])
    everything = Selection(filter=Filter())
    assert cats.set_metadata(everything, {"legs": 4}) == 2
    with pytest.raises(InvalidInput, match=r"would have \d+ bytes as JSON; the limit is 60"):
        cats.set_metadata(everything, {"colour": "black and w"})
    assert [point.metadata for point in cats.get(["a", "b"])] == [{"name": "x" * 30, "legs": 4}, {"legs": 4}]
    assert cats.delete_metadata(everything, ["legs"]) == 2
    assert [point.metadata for point in cats.get(["a", "b"])] == [{"name": "x" * 30}, {}]


def test_deleting_needs_a_selection(cats: Collection) -> None:
    with pytest.raises(InvalidInput, match="send `ids` or a `filter`"):
        cats.delete(Selection())
