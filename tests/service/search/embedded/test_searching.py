"""From a search to hits: exact scores, filters, words, both joined, and a store that moves on meanwhile."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import InvalidInput, NotFound, Unavailable
from service.search.embedded.collection import OPTIMISTIC_TRIES, StoredCollection
from service.search.embedded.collections import Collections
from service.search.filters.model import Filter, HasId, Range
from service.search.fusion import LEXICAL_WEIGHT, K
from service.search.indexes import graph
from service.search.points import Hit, IndexKind, Point, PointId, Search, Selection, Storage

Vectors = NDArray[np.float32]
Make = Callable[..., Vectors]
Open = Callable[..., Collections]

WAYS: list[tuple[IndexKind, Storage]] = [("flat", "float32"), ("flat", "int8"), ("hnsw", "float32"), ("hnsw", "int8")]
WAYS += [("ivf", "float32"), ("ivf", "int8")]

pytestmark = [
    pytest.mark.skipif(not graph.is_available(), reason="the kernel is not built for this machine"),
    pytest.mark.usefixtures("small"),
]


@pytest.fixture
def untended(open_data: Open) -> Collections:
    return open_data(tended=False)


def ids(answers: list[list[Hit]]) -> list[list[PointId]]:
    return [[hit.id for hit in hits] for hits in answers]


@pytest.mark.parametrize(("index", "storage"), WAYS)
@pytest.mark.parametrize("exactly", [True, False])
def test_scores_are_those_of_the_vectors_themselves(
    untended: Collections,
    index: IndexKind,
    storage: Storage,
    exactly: bool,
    vectors: Make,
    write: Callable[..., None],
    settle: Callable[..., int],
) -> None:
    dots = untended.create("dots", space="sentence", metric="dot", index=index, storage=storage)
    stored, queries = vectors(700), vectors(10)
    write(dots, stored)
    settle(dots)
    assert dots.report().kind == index
    for query, hits in zip(queries, dots.search(Search(queries, limit=15, exact=exactly)), strict=True):
        scores = stored @ query
        assert [hit.score for hit in hits] == pytest.approx([float(scores[int(hit.id)]) for hit in hits], abs=1e-5)
        if exactly:
            assert [hit.id for hit in hits] == np.argsort(-scores, kind="stable")[:15].tolist()


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_a_filter_is_kept_and_loses_nobody(
    untended: Collections,
    index: IndexKind,
    storage: Storage,
    vectors: Make,
    write: Callable[..., None],
    settle: Callable[..., int],
) -> None:
    dots = untended.create("dots", space="sentence", metric="dot", index=index, storage=storage)
    stored, queries = vectors(700), vectors(10)
    write(dots, stored)
    settle(dots)
    dots.delete(Selection([*range(105, 110)]))
    between = Filter(must=(Range("n", gte=100.0, lt=120.0),))
    expected = [n for n in range(100, 120) if not 105 <= n < 110]
    answers = dots.search(Search(queries, limit=30, filter=between))
    assert ids(answers) == [[expected[n] for n in np.argsort(-(stored[expected] @ query))] for query in queries]


@pytest.mark.parametrize(("index", "storage"), WAYS)
def test_an_empty_collection_answers_with_nothing(untended: Collections, index: IndexKind, storage: Storage) -> None:
    cats = untended.create("cats", space="sentence", index=index, storage=storage)
    for given in ({}, {"filter": Filter()}, {"exact": True}, {"exact": True, "filter": Filter()}):
        settings: dict[str, Any] = given
        assert cats.search(Search(np.ones((2, 8), np.float32), words=("a", "b"), **settings)) == [[], []]
        hybrid = Search(np.ones((2, 8), np.float32), words=("a", "b"), mode="hybrid", **settings)
        assert cats.search(hybrid) == [[], []]


@pytest.fixture
def texts(cats: StoredCollection) -> StoredCollection:
    """Eight points, each along its own axis with a little of the first."""
    words = ["red cat", "blue cat", "red dog", "blue dog", "red red cow", "fish", "bird", "cat cat cat"]
    for number, text in enumerate(words):
        vector = np.eye(8, dtype=np.float32)[number] + 0.1 * np.eye(8, dtype=np.float32)[0]
        cats.upsert([Point(number, vector, text, {"n": number})])
    return cats


def toward(*axes: int) -> Vectors:
    query: Vectors = np.eye(8, dtype=np.float32)[[*axes]].sum(axis=0)[None]
    return query


def test_words_are_searched_alone_and_under_a_filter(texts: StoredCollection) -> None:
    [found] = texts.search(Search(words=("red",), mode="lexical"))
    assert sorted(hit.id for hit in found if isinstance(hit.id, int)) == [0, 2, 4]
    assert found[0].id == 4
    [few] = texts.search(Search(words=("red",), mode="lexical", filter=Filter(must=(HasId((0, 1)),))))
    assert [(hit.id, hit.text) for hit in few] == [(0, "red cat")]


def test_a_hybrid_search_joins_both_by_rank_and_says_where_a_hit_came_from(texts: StoredCollection) -> None:
    [hits] = texts.search(Search(toward(5), words=("cat",), mode="hybrid", limit=8))
    [dense] = texts.search(Search(toward(5), limit=8))
    [lexical] = texts.search(Search(words=("cat",), mode="lexical"))
    ranks = {hit.id: 1 / (K + rank) for rank, hit in enumerate(dense, 1)}
    for rank, hit in enumerate(lexical, 1):
        ranks[hit.id] += LEXICAL_WEIGHT / (K + rank)
    assert {hit.id: hit.score for hit in hits} == pytest.approx(ranks)
    assert [hit.score for hit in hits] == sorted(ranks.values(), reverse=True)
    by_id = {hit.id: hit for hit in hits}
    assert by_id[7].lexical_score == pytest.approx({hit.id: hit.score for hit in lexical}[7])
    assert by_id[5].dense_score == pytest.approx({hit.id: hit.score for hit in dense}[5])
    assert by_id[5].lexical_score is None


def test_excluded_points_are_no_answer_in_any_mode(texts: StoredCollection) -> None:
    gone: frozenset[PointId] = frozenset({0, "0", 7, "missing"})
    for search in (
        Search(toward(0), limit=8, exclude=gone),
        Search(toward(0), limit=8, exclude=gone, filter=Filter()),
        Search(words=("cat red",), mode="lexical", exclude=gone),
        Search(toward(0), words=("cat",), mode="hybrid", exclude=gone),
    ):
        [hits] = texts.search(search)
        assert hits
        assert not {0, 7} & {hit.id for hit in hits}


@pytest.mark.parametrize("offset", [0, 3, 7, 8, 20])
def test_an_offset_leaves_out_the_first_hits(texts: StoredCollection, offset: int) -> None:
    [every] = ids(texts.search(Search(toward(1, 2), limit=8)))
    assert ids(texts.search(Search(toward(1, 2), limit=3, offset=offset))) == [every[offset : offset + 3]]


def test_a_threshold_counts_before_the_offset(texts: StoredCollection) -> None:
    [every] = texts.search(Search(toward(1, 2), limit=8))
    least = every[1].score - 1e-4
    assert ids(texts.search(Search(toward(1, 2), limit=8, offset=1, score_threshold=least))) == [[every[1].id]]


def test_a_hit_has_what_was_asked_for(texts: StoredCollection) -> None:
    for text, metadata, vector in [
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (False, False, False),
    ]:
        search = Search(toward(3), limit=1, with_text=text, with_metadata=metadata, with_vector=vector)
        [[hit]] = texts.search(search)
        assert (hit.id, hit.text) == (3, "blue dog" if text else None)
        assert hit.metadata == ({"n": 3} if metadata else None)
        assert (hit.vector is not None) is vector


def moving(
    cats: StoredCollection, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], object], times: int
) -> list[int]:
    """Let the store move on `times` times, each just before a search looks at it."""
    read, asked = getattr(cats.store, name), [0]

    def wrapped(*given: Any) -> Any:
        asked[0] += 1
        if asked[0] <= times:
            change()
        return read(*given)

    monkeypatch.setattr(cats.store, name, wrapped)
    return asked


@pytest.mark.parametrize("times", range(1, OPTIMISTIC_TRIES + 1))
def test_a_search_during_which_a_point_is_replaced_is_done_again(
    texts: StoredCollection, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    versions = iter(range(9))

    def replace() -> None:
        texts.upsert([Point(3, np.eye(8, dtype=np.float32)[3], f"version {next(versions)}")])

    asked = moving(texts, monkeypatch, "points_by_row", replace, times)
    [hits] = texts.search(Search(toward(3), limit=8))
    assert asked == [times + 1]
    assert (hits[0].id, hits[0].text) == (3, f"version {times - 1}")
    assert hits[0].score == pytest.approx(1)
    assert sorted(ids([hits])[0], key=str) == [*range(8)]


def test_a_search_during_which_a_point_is_deleted_does_not_find_it(
    texts: StoredCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving(texts, monkeypatch, "points_by_row", lambda: texts.delete(Selection([3])), 1)
    [hits] = texts.search(Search(toward(3), limit=8))
    assert sorted(ids([hits])[0], key=str) == [0, 1, 2, 4, 5, 6, 7]


def test_compact_vectors_that_were_replaced_before_they_were_compared_are_looked_for_again(
    untended: Collections, vectors: Make, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cats = untended.create("cats", space="sentence", index="hnsw", storage="int8")
    write(cats, vectors(50))
    far = np.eye(8, dtype=np.float32)[2]
    cats.upsert([Point("moved", far)])
    moving(cats, monkeypatch, "vectors_by_row", lambda: cats.upsert([Point("moved", -far)]), 1)
    [hits] = cats.search(Search(far[None], limit=51))
    assert (len(hits), hits[-1].id) == (51, "moved")
    assert hits[-1].score == pytest.approx(-1)


def test_points_replaced_while_their_filter_is_looked_up_are_found_as_they_are(
    texts: StoredCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = Filter(must=(Range("n", lt=4.0),))
    moving(texts, monkeypatch, "matching_rows", lambda: texts.set_metadata(Selection([2, 5]), {"n": 3}), 1)
    [hits] = texts.search(Search(toward(3), limit=8, filter=low))
    assert sorted(ids([hits])[0], key=str) == [0, 1, 2, 3, 5]


def test_selections_see_points_that_are_replaced_meanwhile(
    texts: StoredCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Point(3, np.eye(8, dtype=np.float32)[3])
    moving(texts, monkeypatch, "rows_of_ids", lambda: texts.upsert([replace]), 1)
    assert texts.count(Selection([2, 3, "missing"])) == 2


def test_a_collection_dropped_during_a_search_is_not_found(
    collections: Collections, texts: StoredCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving(texts, monkeypatch, "points_by_row", lambda: collections.drop("cats"), 1)
    with pytest.raises(NotFound, match="was dropped"):
        texts.search(Search(toward(3), limit=8))


def test_a_store_that_never_agrees_makes_the_search_unavailable(texts: StoredCollection) -> None:
    texts.store.delete(texts.number, [3])  # behind the back of the index
    with pytest.raises(Unavailable, match="a restart of the service rebuilds it"):
        texts.search(Search(toward(3), limit=8))


def test_the_breadth_of_a_search_decides_how_much_it_finds(
    untended: Collections, vectors: Make, write: Callable[..., None], settle: Callable[..., int]
) -> None:
    cats = untended.create("cats", space="sentence", index="ivf")
    write(cats, vectors(1_000))
    settle(cats)
    queries = vectors(50)
    truth = ids(cats.search(Search(queries, exact=True)))
    shares = []
    with pytest.MonkeyPatch.context() as change:
        change.setattr("service.search.indexes.ivf.SCAN_AT_MOST", 0)
        for breadth in (1, 5, 20):
            found = ids(cats.search(Search(queries, breadth=breadth)))
            shares.append(sum(len({*a} & {*b}) for a, b in zip(truth, found, strict=True)) / 500)
    assert shares[0] < shares[1] < shares[2] == 1


def test_groups_hold_the_best_hits_of_each_value(texts: StoredCollection) -> None:
    texts.set_metadata(Selection([0, 1, 7]), {"kind": "cat"})
    texts.set_metadata(Selection([2, 3]), {"kind": "dog"})
    [groups] = texts.search_groups(Search(toward(3, 7), limit=5), by="kind", size=2)
    [flat] = ids(texts.search(Search(toward(3, 7), limit=8)))
    expected = {"cat": [n for n in flat if n in (0, 1, 7)][:2], "dog": [n for n in flat if n in (2, 3)]}
    assert {group.value: [hit.id for hit in group.hits] for group in groups} == expected


def test_a_search_without_vectors_or_words_is_refused(texts: StoredCollection) -> None:
    with pytest.raises(InvalidInput, match="needs vectors"):
        texts.search(Search(words=("a",)))
