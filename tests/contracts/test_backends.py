"""What service/search/backend.py promises, asked of every place that collections can be in.

A Qdrant server is asked where MCSE_TEST_QDRANT_URL says one is (MCSE_TEST_QDRANT_API_KEY its key); what a test makes
there it drops.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from service.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from service.search.backend import Backend, Collection
from service.search.embedded.collections import Collections
from service.search.filters.evaluate import matches
from service.search.filters.model import (
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    TimeRange,
)
from service.search.filters.parse import parse_filter
from service.search.fusion import LEXICAL_WEIGHT, K
from service.search.points import Hit, Metadata, Point, PointId, Search, Selection, StoredPoint
from service.search.qdrant.backend import QdrantBackend
from service.search.qdrant.connection import open_qdrant

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

Vectors: TypeAlias = NDArray[np.float32]
Open: TypeAlias = Callable[..., Backend]

WIDTH = 8
FINGERPRINT = "a1b2c3d4e5f60718" * 4
SERVER = "MCSE_TEST_QDRANT_URL"
PLACES = ("embedded", "qdrant-local", *(["qdrant-server"] if os.environ.get(SERVER) else []))


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    """Where the collections are."""
    name: str = request.param
    return name


@pytest.fixture
def open_backend(place: str, tmp_path: Path) -> Iterator[Open]:
    """Open the place of this test, once more where it can be; what is still open at the end is closed."""
    opened: list[Backend] = []
    local = QdrantClient(":memory:")

    def open_it(fingerprint: str = FINGERPRINT, max_points: int = 10_000) -> Backend:
        common: dict[str, Any] = {
            "fingerprint": fingerprint,
            "dimensions": {"sentence": WIDTH, "grounded": 4},
            "max_points": max_points,
        }
        made: Backend = (
            Collections.open(tmp_path / "data", **common)
            if place == "embedded"
            else QdrantBackend(local if place == "qdrant-local" else _server(), **common)
        )
        opened.append(made)
        return made

    yield open_it
    for backend in opened:
        backend.close()


def _server() -> QdrantClient:
    return open_qdrant(os.environ[SERVER], os.environ.get("MCSE_TEST_QDRANT_API_KEY"))


@pytest.fixture
def backend(open_backend: Open) -> Backend:
    return open_backend()


@pytest.fixture
def fresh(backend: Backend) -> Iterator[Callable[[], str]]:
    """Names that nobody has; the collections and aliases of these names are dropped at the end."""
    names: list[str] = []

    def name() -> str:
        names.append(f"contract-{uuid.uuid4().hex}")
        return names[-1]

    yield name
    for given in names:
        with suppress(NotFound, Unavailable):  # never made, dropped by the test, or closed by it
            if given in backend.aliases():
                backend.delete_alias(given)
            else:
                backend.drop(given)


@pytest.fixture
def cats(backend: Backend, fresh: Callable[[], str]) -> Collection:
    """An empty cosine collection of width 8."""
    return backend.create(fresh(), space="sentence")


@pytest.fixture
def dots(backend: Backend, fresh: Callable[[], str]) -> Collection:
    """An empty collection of width 8 with the metric dot."""
    return backend.create(fresh(), space="sentence", metric="dot")


def axis(number: int, length: float = 1.0) -> Vectors:
    """A vector along one axis."""
    vector = np.zeros(WIDTH, np.float32)
    vector[number] = length
    return vector


def random_vectors(count: int) -> Vectors:
    return np.random.default_rng(11).standard_normal((count, WIDTH), dtype=np.float32)


def ids_of(hits: Sequence[Hit]) -> list[PointId]:
    return [hit.id for hit in hits]


def all_ids(collection: Collection, where: "Condition | None" = None) -> set[PointId]:
    selection = None if where is None else Selection(filter=Filter(must=(where,)))
    return {point.id for point in collection.scroll(limit=1000, selection=selection).points}


def test_a_server_is_asked_too() -> None:
    if not os.environ.get(SERVER):
        pytest.skip(f"{SERVER} names no Qdrant server: only the client's local mode is tested")
    assert "qdrant-server" in PLACES


# ---- points


def test_what_is_written_is_found_with_its_text_and_metadata(cats: Collection) -> None:
    done = cats.upsert([Point("a", axis(0), "a cat", {"legs": 4}), Point(1, axis(1))])
    assert (done.ids, done.inserted, done.replaced, done.skipped) == (("a", 1), 2, 0, 0)
    [[best, other]] = cats.search(Search(axis(0)[None], limit=5))
    assert (best.id, best.text, best.metadata) == ("a", "a cat", {"legs": 4})
    assert (other.id, other.text, other.metadata) == (1, None, None)
    assert (best.score, other.score) == pytest.approx((1, 0), abs=1e-6)
    assert cats.count() == cats.info().count == 2


def test_a_string_and_a_number_that_look_alike_are_two_ids(cats: Collection) -> None:
    spelled = str(uuid.UUID(int=1))
    given: list[PointId] = [1, "1", -1, "-1", 0, "", 2**63 - 1, -(2**63), spelled, "é", "a b/c?d#e"]
    cats.upsert([Point(point_id, axis(position % WIDTH)) for position, point_id in enumerate(given)])
    assert [point.id for point in cats.get(given)] == given
    assert [type(point.id) for point in cats.get(given)] == [type(point_id) for point_id in given]
    assert cats.delete(Selection(ids=["1", spelled])) == 2
    assert all_ids(cats) == set(given) - {"1", spelled}


def test_points_come_in_the_order_that_was_asked_for_and_missing_ones_are_left_out(cats: Collection) -> None:
    cats.upsert([Point(n, axis(n)) for n in range(4)])
    assert [point.id for point in cats.get([3, "3", 0, 9, 2])] == [3, 0, 2]
    assert cats.get([]) == []


def test_an_id_that_is_there_is_replaced_with_everything_it_had(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0), "zebra", {"n": 1})])
    done = cats.upsert([Point("a", axis(1)), Point("b", axis(2))])
    assert (done.inserted, done.replaced, done.skipped) == (1, 1, 0)
    [point] = cats.get(["a"])
    assert (point.text, point.metadata, point.vector.tolist()) == (None, None, axis(1).tolist())
    assert cats.search(Search(words=("zebra",), mode="lexical")) == [[]]


def test_a_write_can_leave_the_points_that_are_there(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0), "old")])
    done = cats.upsert([Point("b", axis(1)), Point("a", axis(2), "new")], on_conflict="skip")
    assert (done.ids, done.inserted, done.replaced, done.skipped) == (("b", "a"), 1, 0, 1)
    assert [point.text for point in cats.get(["a", "b"])] == ["old", None]


def test_a_write_can_be_refused_as_a_whole_where_an_id_is_there(cats: Collection) -> None:
    cats.upsert([Point("a", axis(0), "old")])
    with pytest.raises(Conflict, match=r"points\[1\]"):
        cats.upsert([Point("b", axis(1)), Point("a", axis(2), "new")], on_conflict="error")
    assert all_ids(cats) == {"a"}
    assert cats.get(["a"])[0].text == "old"
    assert cats.upsert([Point("b", axis(1))], on_conflict="error").inserted == 1


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([Point("a", axis(0)), Point("a", axis(1))], r"points\[1\] has the same id as points\[0\]"),
        ([Point("a", axis(0)[:4])], r"points\[0\]"),
        ([Point("a", axis(0).astype(np.float64))], "float64"),
        ([Point("a", axis(0)), Point("b", axis(0) * np.float32(np.nan))], r"points\[1\]"),
        ([Point("a", axis(0, 0))], "zeros"),
        ([Point(True, axis(0))], r"points\[0\]: the id"),
        ([Point(2**63, axis(0))], r"points\[0\]: the id"),
        ([Point("\ud800", axis(0))], "surrogate"),
        ([Point("a", axis(0), "\ud800")], "surrogate"),
        ([Point("a", axis(0), None, {"a": 2**70})], "metadata"),
    ],
)
def test_a_point_that_breaks_a_rule_is_refused_and_nothing_is_written(
    cats: Collection, points: list[Point], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        cats.upsert(points)
    assert cats.count() == 0


def test_no_point_at_all_is_a_write_of_nothing(cats: Collection) -> None:
    assert cats.upsert([]).ids == ()


def test_a_collection_that_would_grow_over_the_limit_is_full(open_backend: Open) -> None:
    backend, name = open_backend(max_points=3), f"contract-{uuid.uuid4().hex}"
    collection = backend.create(name, space="sentence")
    collection.upsert([Point(n, axis(n)) for n in range(3)])
    with pytest.raises(StorageFull):
        collection.upsert([Point(2, axis(5)), Point(3, axis(3))])
    assert collection.count() == 3
    assert collection.upsert([Point(2, axis(5))]).replaced == 1
    assert backend.drop(name) == 3


def test_cosine_keeps_and_asks_with_vectors_of_length_one(cats: Collection) -> None:
    cats.upsert([Point("long", axis(0, 100)), Point("short", axis(0, 0.01)), Point("aside", axis(0) + axis(1))])
    [hits] = cats.search(Search(axis(0, 7)[None], limit=3, with_vector=True))
    assert ids_of(hits)[2] == "aside"
    assert [hit.score for hit in hits] == pytest.approx([1, 1, 0.5**0.5], abs=1e-6)
    assert cats.get(["long"])[0].vector.tolist() == axis(0).tolist()
    assert {hit.id: np.linalg.norm(hit.vector) for hit in hits if hit.vector is not None} == pytest.approx(
        {"long": 1, "short": 1, "aside": 1}
    )


def test_every_bit_of_a_vector_is_kept(cats: Collection, dots: Collection) -> None:
    given = random_vectors(50)
    unit = (given / np.sqrt(np.einsum("ij,ij->i", given, given, dtype=np.float64))[:, None]).astype(np.float32)
    for collection, wanted in ((cats, unit), (dots, given)):
        collection.upsert([Point(n, vector) for n, vector in enumerate(given)])
        kept = np.stack([point.vector for point in collection.get(range(50))])
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(kept, wanted)


METADATA: list[Metadata] = [
    {},
    {"a": None, "b": [], "c": {}, "d": [None, {"e": None}]},
    {"big": 2**63 - 1, "low": -(2**63), "tiny": 5e-324, "huge": 1e300, "part": 0.1, "whole": 1.0, "yes": True},
    {"id": 5, "text": "x", "metadata": {"metadata": 1}, 'a"b': 1, "a.b": 2, "": 3, "[]": 4, "日本": "語", "é": "\n\0"},
]


@pytest.mark.parametrize("metadata", METADATA)
def test_metadata_comes_back_as_it_was_given(cats: Collection, metadata: Metadata) -> None:
    cats.upsert([Point("a", axis(0), "", metadata)])
    [point] = cats.get(["a"])
    assert (point.metadata, point.text) == (metadata, "")
    assert [type(value) for value in (point.metadata or {}).values()] == [type(value) for value in metadata.values()]


# ---- selections


@pytest.fixture
def zoo(cats: Collection) -> Collection:
    """Points a to h whose metadata has something for every condition."""
    animals: dict[PointId, Metadata | None] = {
        "a": {"kind": "cat", "legs": 4, "tags": ["soft", "small"], "seen": "2024-01-31T12:00:00Z", "wild": False},
        "b": {"kind": "cat", "legs": 4.0, "tags": [], "seen": "2024-02-01T00:00:00+02:00", "wild": True},
        "c": {"kind": "bird", "legs": 2, "tags": None, "home": {"country": "Chile", "city name": "Arica"}},
        "d": {"kind": "fish", "legs": 0, "home": {"country": "Peru"}, "says": "The Quick, brown fox_jumps!"},
        "e": {"kind": "1", "legs": "4", "parts": [{"name": "wing", "size": 3}, {"name": "beak", "size": 1}]},
        "f": {"kind": 1, "legs": 2.5, "wild": 1, "says": "quickly brown"},
        "g": {},
        "h": None,
    }
    cats.upsert([Point(key, axis(n), f"text {n}", animals[key]) for n, key in enumerate(animals)])
    cats.upsert([Point(7, axis(7), None, {"legs": 2**60 + 1}), Point(-7, axis(6), None, {"legs": -1})])
    return cats


CONDITIONS: list[tuple[Condition, set[PointId]]] = [
    (MatchAny("kind", ("cat",)), {"a", "b"}),
    (MatchAny("kind", ("bird", "fish", "dog")), {"c", "d"}),
    (MatchAny("kind", ("1",)), {"e"}),
    (MatchAny("kind", (1,)), {"f"}),
    (MatchAny("kind", ()), set()),
    (MatchAny("legs", (4,)), {"a", "b"}),
    (MatchAny("legs", (0, 2)), {"c", "d"}),
    (MatchAny("legs", (2**60 + 1,)), {7}),
    (MatchAny("legs", (2**60,)), set()),
    (MatchAny("wild", (True,)), {"b"}),
    (MatchAny("wild", (False,)), {"a"}),
    (MatchAny("wild", (1,)), {"f"}),
    (MatchAny("tags", ("small",)), {"a"}),
    (MatchAny("home.country", ("Chile", "Peru")), {"c", "d"}),
    (MatchAny('home."city name"', ("Arica",)), {"c"}),
    (MatchAny("parts[].name", ("beak",)), {"e"}),
    (MatchAny("parts.name", ("beak",)), set()),
    (MatchExcept("kind", ("cat",)), {"c", "d", "e", "f"}),
    (MatchExcept("kind", (1,)), {"a", "b", "c", "d", "e"}),
    (MatchExcept("legs", (4, 2)), {"d", "e", "f", 7, -7}),
    (MatchExcept("tags", ("soft",)), {"a"}),
    (MatchExcept("tags", ("soft", "small")), set()),
    (MatchExcept("wild", (True,)), {"a", "f"}),
    (MatchText("says", ("brown", "quick")), {"d"}),
    (MatchText("says", ("jumps",)), {"d"}),
    (MatchText("says", ("quic",)), set()),
    (Range("legs", gte=2, lt=4), {"c", "f"}),
    (Range("legs", gt=2), {"a", "b", "f", 7}),
    (Range("legs", lte=0), {"d", -7}),
    (Range("parts[].size", gt=1, lt=4), {"e"}),
    (TimeRange("seen", gte=1706702400.0), {"a", "b"}),  # 2024-01-31T12:00:00Z
    (TimeRange("seen", gt=1706702400.0), {"b"}),
    (TimeRange("seen", lt=1706738401.0, gt=1706738399.0), {"b"}),  # 2024-01-31T22:00:00Z
    (IsEmpty("tags"), {"b", "c", "d", "e", "f", "g", "h", 7, -7}),
    (IsNull("tags"), {"c"}),
    (IsEmpty("home.country"), {"a", "b", "e", "f", "g", "h", 7, -7}),
    (HasId(("a", 7, -7, "7", "nobody")), {"a", 7, -7}),
    (HasId(()), set()),
    (Filter(), {"a", "b", "c", "d", "e", "f", "g", "h", 7, -7}),
    (Filter(must=(MatchAny("kind", ("cat",)), MatchAny("wild", (True,)))), {"b"}),
    (Filter(should=(MatchAny("kind", ("bird",)), Range("legs", gte=4, lte=4))), {"a", "b", "c"}),
    (Filter(must_not=(IsEmpty("kind"), MatchAny("kind", ("cat", "bird")))), {"d", "e", "f"}),
    (
        Filter(
            should=(MatchAny("kind", ("cat",)), MatchAny("wild", (True,)), Range("legs", gte=4, lte=4)), min_should=3
        ),
        {"b"},
    ),
    (
        Filter(
            must=(Filter(should=(HasId(("a",)), MatchAny("kind", ("fish",)))),),
            must_not=(Filter(must=(HasId(("a",)),)),),
        ),
        {"d"},
    ),
]


@pytest.mark.parametrize(("condition", "wanted"), CONDITIONS, ids=[repr(condition)[:70] for condition, _ in CONDITIONS])
def test_a_filter_selects_what_it_says(zoo: Collection, condition: Condition, wanted: set[PointId]) -> None:
    everything = {point.id: point.metadata for point in zoo.scroll(limit=100).points}
    assert {key for key, metadata in everything.items() if matches(condition, key, metadata)} == wanted
    assert all_ids(zoo, condition) == wanted
    selection = Selection(filter=Filter(must=(condition,)))
    assert zoo.count(selection) == len(wanted)
    [hits] = zoo.search(Search(axis(0)[None], limit=20, filter=Filter(must=(condition,))))
    assert set(ids_of(hits)) == wanted
    zoo.delete(selection)
    assert all_ids(zoo) == everything.keys() - wanted


def test_a_parsed_filter_is_taken(zoo: Collection) -> None:
    asked = parse_filter({"must": [{"key": "tags[]", "match": {"any": ["soft"]}}], "must_not": [{"has_id": [7]}]})
    assert zoo.count(Selection(filter=asked)) == 1


def test_points_are_selected_by_their_ids(zoo: Collection) -> None:
    assert zoo.count(Selection(ids=["a", "nobody", 7])) == 2
    assert zoo.count(Selection(ids=[])) == 0
    assert {point.id for point in zoo.scroll(limit=9, selection=Selection(ids=["a", 7])).points} == {"a", 7}
    assert zoo.delete(Selection(ids=[])) == 0
    assert zoo.delete(Selection(ids=["a", "a", "nobody"])) == 1
    assert zoo.get(["a"]) == []


def test_fields_of_metadata_are_set_and_the_others_left(zoo: Collection) -> None:
    assert zoo.set_metadata(Selection(ids=["a", "h", "nobody"]), {"legs": 3, "new": {"x": [1]}, "a.b": 1}) == 2
    first, last = zoo.get(["a", "h"])
    assert first.metadata == {
        "kind": "cat",
        "tags": ["soft", "small"],
        "seen": "2024-01-31T12:00:00Z",
        "wild": False,
        "legs": 3,
        "new": {"x": [1]},
        "a.b": 1,
    }
    assert last.metadata == {"legs": 3, "new": {"x": [1]}, "a.b": 1}
    assert (first.text, first.vector.tolist()) == ("text 0", axis(0).tolist())
    assert all_ids(zoo, MatchAny("legs", (3,))) == {"a", "h"}
    assert ids_of(zoo.search(Search(axis(0)[None], limit=1))[0]) == ["a"]


def test_a_field_can_be_set_to_null(zoo: Collection) -> None:
    assert zoo.set_metadata(Selection(filter=Filter(must=(MatchAny("kind", ("cat",)),))), {"legs": None, "x": 1}) == 2
    assert [(point.metadata or {})["legs"] for point in zoo.get(["a", "b"])] == [None, None]
    assert all_ids(zoo, IsNull("legs")) == all_ids(zoo, MatchAny("x", (1,))) == {"a", "b"}


def test_fields_of_metadata_are_deleted(zoo: Collection) -> None:
    zoo.set_metadata(Selection(ids=["c"]), {'od"d': 1, "a.b": 2, "home": {"country": "Chile"}})
    everywhere = Selection(filter=Filter())
    assert zoo.delete_metadata(everywhere, ["legs", "nothing", "country"]) == 10
    assert all_ids(zoo, IsEmpty("legs")) == all_ids(zoo)
    assert zoo.delete_metadata(Selection(ids=["c"]), ["a.b"]) == 1
    assert zoo.delete_metadata(Selection(ids=["c", "h"]), ['od"d', "kind"]) == 2
    first, last = zoo.get(["c", "h"])
    assert first.metadata == {"tags": None, "home": {"country": "Chile"}}
    assert not last.metadata


def test_metadata_that_cannot_be_kept_is_refused(zoo: Collection) -> None:
    with pytest.raises(InvalidInput):
        zoo.set_metadata(Selection(ids=["a"]), {"n": 2**70})


# ---- scrolling


def test_a_scroll_passes_every_point_once(cats: Collection) -> None:
    given: list[PointId] = [*range(30), *(f"s{n}" for n in range(30)), *range(-30, 0)]
    cats.upsert([Point(point_id, axis(0), f"t {point_id}", {"n": str(point_id)}) for point_id in given])
    seen: list[StoredPoint] = []
    cursor, pages = None, 0
    while True:
        page = cats.scroll(limit=20, cursor=cursor)
        seen += page.points
        pages += 1
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert pages == 5
    assert len(seen) == 90
    assert {point.id for point in seen} == set(given)
    assert all(point.text == f"t {point.id}" and point.metadata == {"n": str(point.id)} for point in seen)


def test_a_scroll_goes_on_in_the_same_order_past_deleted_and_new_points(cats: Collection) -> None:
    cats.upsert([Point(n, axis(0)) for n in range(10)])
    first = cats.scroll(limit=4)
    cats.delete(Selection(ids=[4, 5]))
    cats.upsert([Point(10, axis(0))])
    rest = cats.scroll(limit=100, cursor=first.next_cursor)
    assert [point.id for point in first.points] == [0, 1, 2, 3]
    assert [point.id for point in rest.points] == [6, 7, 8, 9, 10]
    assert rest.next_cursor is None


def test_a_scroll_can_be_of_a_selection(cats: Collection) -> None:
    cats.upsert([Point(n, axis(0), None, {"odd": n % 2 == 1}) for n in range(20)])
    odd = Selection(filter=Filter(must=(MatchAny("odd", (True,)),)))
    first = cats.scroll(limit=6, selection=odd)
    last = cats.scroll(limit=6, selection=odd, cursor=first.next_cursor)
    assert [point.id for point in (*first.points, *last.points)] == list(range(1, 20, 2))
    assert last.next_cursor is None


def test_an_empty_collection_is_one_empty_page(cats: Collection) -> None:
    page = cats.scroll(limit=5)
    assert (page.points, page.next_cursor) == ((), None)


def test_a_cursor_that_this_collection_did_not_give_out_is_refused(cats: Collection, dots: Collection) -> None:
    for collection in (cats, dots):
        collection.upsert([Point(n, axis(0)) for n in range(4)])
    cursor = cats.scroll(limit=2).next_cursor
    assert cursor is not None
    for wrong in ("", "x", "é", cursor[:-4], "AAAA" + cursor, dots.scroll(limit=2).next_cursor):
        with pytest.raises(InvalidInput):
            cats.scroll(limit=2, cursor=wrong)
    with pytest.raises(InvalidInput):
        cats.scroll(limit=0)


def test_a_cursor_ends_with_its_collection(backend: Backend, fresh: Callable[[], str]) -> None:
    name = fresh()
    cursors = []
    for _ in range(2):
        collection = backend.create(name, space="sentence")
        collection.upsert([Point(n, axis(0)) for n in range(4)])
        cursors.append(collection.scroll(limit=2).next_cursor)
        if len(cursors) == 1:
            backend.drop(name)
    with pytest.raises(InvalidInput):
        collection.scroll(limit=2, cursor=cursors[0])


# ---- searching


def test_a_search_finds_what_brute_force_finds(dots: Collection) -> None:
    stored, queries = random_vectors(200), random_vectors(205)[200:]
    dots.upsert([Point(n, vector) for n, vector in enumerate(stored)])
    scores = queries @ stored.T
    wanted = np.argsort(-scores, axis=1)
    answers = dots.search(Search(queries, limit=10, exact=True))
    assert [ids_of(hits) for hits in answers] == wanted[:, :10].tolist()
    np.testing.assert_allclose(
        [[hit.score for hit in hits] for hits in answers], -np.sort(-scores, axis=1)[:, :10], rtol=1e-5
    )
    later = dots.search(Search(queries, limit=5, offset=7, exact=True))
    assert [ids_of(hits) for hits in later] == wanted[:, 7:12].tolist()
    [every, *_] = dots.search(Search(queries, limit=1000, offset=195))
    assert ids_of(every) == wanted[0, 195:].tolist()


@pytest.mark.parametrize("index", ["flat", "hnsw", "auto"])
@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_every_kind_of_index_finds_exact_scores(
    backend: Backend, fresh: Callable[[], str], index: Any, storage: Any
) -> None:
    collection = backend.create(fresh(), space="sentence", index=index, storage=storage)
    stored = random_vectors(300)
    collection.upsert([Point(n, vector) for n, vector in enumerate(stored)])
    found = collection.search(Search(stored[:50], limit=1, with_vector=True))
    assert sum(hits[0].id == n for n, hits in enumerate(found)) >= 49
    assert all(hits[0].score == pytest.approx(1, abs=1e-5) for hits in found)
    assert (collection.info().index, collection.info().storage) == (index, storage)
    report = collection.report(measure=True)
    assert report.kind in ("flat", "hnsw")
    assert report.recall is not None
    assert report.recall >= 0.95
    assert report.memory_bytes >= 300 * WIDTH
    assert 0 <= report.deleted_share <= 1
    assert collection.report().kind == report.kind


def test_the_threshold_lets_an_equal_score_through(dots: Collection) -> None:
    dots.upsert([Point(n, axis(0, n / 8)) for n in range(1, 9)])
    asked = axis(0)[None]
    assert ids_of(dots.search(Search(asked, score_threshold=0.5))[0]) == [8, 7, 6, 5, 4]
    assert ids_of(dots.search(Search(asked, score_threshold=0.500001))[0]) == [8, 7, 6, 5]
    assert ids_of(dots.search(Search(asked, score_threshold=0.5, limit=2, offset=2))[0]) == [6, 5]
    assert dots.search(Search(asked, score_threshold=1.1)) == [[]]


def test_excluded_points_are_no_answer(zoo: Collection) -> None:
    near = Search(axis(0)[None], limit=20, exclude=frozenset(["a", 7, "nobody"]))
    [hits] = zoo.search(near)
    assert set(ids_of(hits)) == all_ids(zoo) - {"a", 7}
    [hits] = zoo.search(
        Search(axis(0)[None], exclude=frozenset(["a"]), filter=Filter(must=(MatchAny("kind", ("cat",)),)))
    )
    assert ids_of(hits) == ["b"]


def test_a_hit_has_what_was_asked_for(zoo: Collection) -> None:
    [[full]] = zoo.search(Search(axis(0)[None], limit=1, with_vector=True))
    [[bare]] = zoo.search(Search(axis(0)[None], limit=1, with_text=False, with_metadata=False))
    assert (full.text, (full.metadata or {})["kind"]) == ("text 0", "cat")
    assert full.vector is not None
    assert full.vector.tolist() == axis(0).tolist()
    assert (bare.id, bare.text, bare.metadata, bare.vector) == ("a", None, None, None)


def test_no_query_has_no_answer_and_an_empty_collection_no_hit(cats: Collection) -> None:
    assert cats.search(Search(np.zeros((0, WIDTH), np.float32))) == []
    assert cats.search(Search(random_vectors(2))) == [[], []]
    assert cats.search(Search(words=("cat",), mode="lexical")) == [[]]
    assert cats.search(Search(axis(0)[None], ("cat",), mode="hybrid")) == [[]]


@pytest.mark.parametrize(
    "search",
    [
        Search(axis(0)[None], limit=0),
        Search(axis(0)[None], offset=-1),
        Search(axis(0)[None], score_threshold=float("nan")),
        Search(axis(0)[None, :4]),
        Search(axis(0, 0)[None]),
        Search(np.full((1, WIDTH), np.inf, np.float32)),
        Search(),
        Search(axis(0)[None], mode="lexical"),
        Search(words=("a",), mode="hybrid"),
        Search(axis(0)[None], ("a", "b"), mode="hybrid"),
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(cats: Collection, search: Search) -> None:
    cats.upsert([Point("a", axis(0), "a cat")])
    with pytest.raises(InvalidInput):
        cats.search(search)


TEXTS = {
    "cat": "A cat sleeps on the warm roof.",
    "cats": "The cat and the other cat sleep: cat, cat!",
    "dog": "A dog barks at the moon.",
    "none": None,
    "long": "cat " + "word " * 60,
}


@pytest.fixture
def texts(cats: Collection) -> Collection:
    """Points with texts, of which "none" has none."""
    cats.upsert([Point(key, axis(n), text, {"n": n}) for n, (key, text) in enumerate(TEXTS.items())])
    return cats


def test_a_lexical_search_ranks_texts_by_their_words(texts: Collection) -> None:
    [cat, moon, nothing, mark] = texts.search(Search(words=("CAT", "moon roof", "zebra", "?!"), mode="lexical"))
    assert ids_of(cat) == ["cats", "cat", "long"]
    assert set(ids_of(moon)) == {"cat", "dog"}
    assert (nothing, mark) == ([], [])
    assert all(hit.score > 0 for hit in (*cat, *moon))
    assert [hit.score for hit in cat] == sorted((hit.score for hit in cat), reverse=True)
    narrow = Filter(must=(Range("n", lte=0),))
    assert ids_of(texts.search(Search(words=("cat",), mode="lexical", filter=narrow))[0]) == ["cat"]
    assert ids_of(texts.search(Search(words=("cat",), mode="lexical", offset=1, limit=1))[0]) == ["cat"]


def test_a_lexical_search_follows_deletes_and_changes(texts: Collection) -> None:
    texts.delete(Selection(ids=["cats"]))
    texts.set_metadata(Selection(ids=["long"]), {"new": 1})
    texts.upsert([Point("dog", axis(2), "now a cat")])
    [hits] = texts.search(Search(words=("cat",), mode="lexical"))
    assert set(ids_of(hits)) == {"cat", "dog", "long"}


def test_a_hybrid_search_has_both_scores_and_their_fusion(texts: Collection) -> None:
    [hits] = texts.search(Search(axis(2)[None], ("cat",), mode="hybrid", limit=10))
    by_id = {hit.id: hit for hit in hits}
    assert by_id.keys() == TEXTS.keys()
    dense = ids_of(texts.search(Search(axis(2)[None], limit=10))[0])
    lexical = ids_of(texts.search(Search(words=("cat",), mode="lexical", limit=10))[0])
    assert by_id["dog"].dense_score == pytest.approx(1, abs=1e-6)
    assert by_id["dog"].lexical_score is None
    assert (by_id["cats"].lexical_score or 0) > (by_id["long"].lexical_score or 0) > 0
    assert by_id["dog"].score == pytest.approx(1 / (K + dense.index("dog") + 1), rel=1e-5)
    assert by_id["cats"].score == pytest.approx(
        1 / (K + dense.index("cats") + 1) + LEXICAL_WEIGHT / (K + lexical.index("cats") + 1)
    )
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    [few] = texts.search(Search(axis(2)[None], ("cat",), mode="hybrid", limit=2, offset=1))
    assert ids_of(few) == ids_of(hits)[1:3]
    [words] = texts.search(Search(axis(2)[None], ("?",), mode="hybrid", limit=1))
    assert (words[0].id, words[0].lexical_score) == ("dog", None)


@pytest.fixture
def pages(dots: Collection) -> Collection:
    """Twenty points whose score falls with their number."""
    colors: list[str | int | bool] = ["red", "blue", 5, True, False]
    dots.upsert(
        [
            Point(n, axis(0, 20 - n), f"page {n}", {"color": colors[n % 5], "in": {"both": [n % 2, "all"]}})
            for n in range(20)
        ]
    )
    dots.upsert([Point("none", axis(0, 30), "page")])
    return dots


def test_hits_are_grouped_by_the_value_of_a_field(pages: Collection) -> None:
    [groups] = pages.search_groups(Search(axis(0)[None], limit=10), by="color", size=2)
    assert [(group.value, ids_of(group.hits)) for group in groups] == [
        ("red", [0, 5]),
        ("blue", [1, 6]),
        (5, [2, 7]),
        (True, [3, 8]),
        (False, [4, 9]),
    ]
    assert [type(group.value) for group in groups] == [str, str, int, bool, bool]
    assert groups[0].hits[0].text == "page 0"


def test_groups_are_limited_filtered_and_under_no_threshold(pages: Collection) -> None:
    asked = Search(axis(0)[None], limit=2, filter=Filter(must_not=(HasId((0,)),)), score_threshold=16)
    [groups] = pages.search_groups(asked, by="color", size=3)
    assert [(group.value, ids_of(group.hits)) for group in groups] == [("blue", [1]), (5, [2])]
    [groups] = pages.search_groups(Search(axis(0)[None], limit=1), by="color", size=1)
    assert [(group.value, ids_of(group.hits)) for group in groups] == [("red", [0])]


def test_a_point_is_in_the_group_of_each_value_it_has(pages: Collection) -> None:
    [groups] = pages.search_groups(Search(axis(0)[None], limit=5), by="in.both", size=1)
    assert {(group.value, *ids_of(group.hits)) for group in groups} == {(0, 0), (1, 1), ("all", 0)}
    assert pages.search_groups(Search(axis(0)[None], limit=5), by="nothing", size=1) == [[]]


def test_groups_work_in_every_mode(pages: Collection) -> None:
    [lexical, nothing] = pages.search_groups(
        Search(words=("page", "zebra"), mode="lexical", limit=9), by="color", size=1
    )
    assert {group.value for group in lexical} == {"red", "blue", 5, True, False}
    assert nothing == []
    [hybrid] = pages.search_groups(Search(axis(0)[None], ("page",), mode="hybrid", limit=9), by="color", size=1)
    assert {group.value for group in hybrid} == {"red", "blue", 5, True, False}
    assert 0 < hybrid[0].hits[0].score < 1


# ---- collections


def test_a_collection_says_how_it_was_made(backend: Backend, fresh: Callable[[], str]) -> None:
    names = [fresh(), fresh()]
    backend.create(names[0], space="grounded", metric="dot", index="flat", storage="int8", description="of grounds é")
    backend.create(names[1], space="sentence")
    first, second = (backend.get(name).info() for name in names)
    assert (first.name, first.space, first.metric, first.dimension) == (names[0], "grounded", "dot", 4)
    assert (first.index, first.storage, first.description, first.count) == ("flat", "int8", "of grounds é", 0)
    assert (second.metric, second.index, second.storage, second.description) == ("cosine", "auto", "float32", None)
    assert first.fingerprint == FINGERPRINT
    assert len(first.created_at) == len("2026-01-01T00:00:00Z")
    listed = [info for info in backend.list() if info.name in names]
    assert listed == [first, second]


def test_a_name_is_given_once(backend: Backend, cats: Collection, fresh: Callable[[], str]) -> None:
    alias = fresh()
    backend.set_alias(alias, cats.info().name)
    for taken in (cats.info().name, alias):
        with pytest.raises(Conflict):
            backend.create(taken, space="sentence")


@pytest.mark.parametrize("name", ["", ".", "-a", "a/b", "a b", "é", "a" * 129, "a\n"])
def test_a_name_that_none_can_have_is_refused(backend: Backend, cats: Collection, name: str) -> None:
    with pytest.raises(InvalidInput):
        backend.create(name, space="sentence")
    with pytest.raises(InvalidInput):
        backend.get(name)
    with pytest.raises(InvalidInput):
        backend.set_alias(name, cats.info().name)


@pytest.mark.parametrize(
    "wrong",
    [{"space": "nowhere"}, {"metric": "euclid"}, {"index": "tree"}, {"storage": "int4"}, {"description": "\ud800"}],
)
def test_a_collection_of_no_known_kind_is_refused(
    backend: Backend, fresh: Callable[[], str], wrong: dict[str, Any]
) -> None:
    name = fresh()
    with pytest.raises(InvalidInput):
        backend.create(name, **{"space": "sentence", **wrong})
    with pytest.raises(NotFound):
        backend.get(name)


def test_a_dropped_collection_is_gone_with_its_points(backend: Backend, cats: Collection) -> None:
    name = cats.info().name
    cats.upsert([Point(n, axis(n)) for n in range(3)])
    assert backend.drop(name) == 3
    with pytest.raises(NotFound):
        backend.get(name)
    with pytest.raises(NotFound):
        backend.drop(name)
    calls: list[Callable[[], object]] = [
        cats.info,
        cats.count,
        lambda: cats.get([1]),
        lambda: cats.upsert([Point(1, axis(1))]),
        lambda: cats.delete(Selection(ids=[1])),
        lambda: cats.scroll(limit=1),
        lambda: cats.search(Search(axis(0)[None])),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert backend.create(name, space="sentence").count() == 0


def test_collections_do_not_see_each_others_points(cats: Collection, dots: Collection) -> None:
    cats.upsert([Point(1, axis(0), "cat")])
    dots.upsert([Point(1, axis(1), "dot"), Point(2, axis(2))])
    assert (cats.count(), dots.count()) == (1, 2)
    assert dots.delete(Selection(filter=Filter())) == 2
    assert cats.get([1])[0].text == "cat"


def test_an_alias_stands_for_a_collection_and_is_switched(
    backend: Backend, cats: Collection, dots: Collection, fresh: Callable[[], str]
) -> None:
    alias, first, second = fresh(), cats.info().name, dots.info().name
    cats.upsert([Point("c", axis(0))])
    assert backend.set_alias(alias, first) is None
    assert backend.get(alias).info().name == first
    assert backend.get(alias).count() == 1
    assert backend.set_alias(alias, second) == first
    assert backend.get(alias).info().name == second
    assert backend.aliases()[alias] == second
    assert backend.set_alias(alias, second) == second
    backend.delete_alias(alias)
    assert alias not in backend.aliases()
    with pytest.raises(NotFound):
        backend.get(alias)
    with pytest.raises(NotFound):
        backend.delete_alias(alias)


def test_an_alias_needs_a_collection_and_a_free_name(
    backend: Backend, cats: Collection, dots: Collection, fresh: Callable[[], str]
) -> None:
    with pytest.raises(NotFound):
        backend.set_alias(fresh(), fresh())
    with pytest.raises(Conflict):
        backend.set_alias(cats.info().name, dots.info().name)


def test_an_alias_is_neither_dropped_nor_aliased_as_a_collection_is(
    backend: Backend, cats: Collection, fresh: Callable[[], str]
) -> None:
    alias = fresh()
    backend.set_alias(alias, cats.info().name)
    for refused in (lambda: backend.drop(alias), lambda: backend.set_alias(fresh(), alias)):
        with pytest.raises(Conflict):
            refused()
    assert backend.aliases()[alias] == cats.info().name


def test_the_aliases_of_a_dropped_collection_are_gone(
    backend: Backend, cats: Collection, fresh: Callable[[], str]
) -> None:
    alias = fresh()
    backend.set_alias(alias, cats.info().name)
    backend.drop(cats.info().name)
    assert alias not in backend.aliases()
    with pytest.raises(NotFound):
        backend.get(alias)


def test_points_of_another_model_are_kept_apart(
    place: str, open_backend: Open, backend: Backend, cats: Collection
) -> None:
    cats.upsert([Point("a", axis(0), "kept", {"n": 1})])
    name = cats.info().name
    if place == "embedded":
        backend.close()
    other = open_backend(fingerprint="b" * 64).get(name)
    for refused in (
        other.require_model,
        lambda: other.upsert([Point("b", axis(0))]),
        lambda: other.search(Search(axis(0)[None])),
        lambda: other.search_groups(Search(axis(0)[None]), by="n", size=1),
    ):
        with pytest.raises(Conflict, match="a1b2c3d4e5f6"):
            refused()
    assert other.get(["a"])[0].text == "kept"
    assert other.delete(Selection(ids=["a"])) == 1


def test_all_is_well_until_the_end(place: str, open_backend: Open, backend: Backend, cats: Collection) -> None:
    assert list(backend.verify()) == []
    if place == "qdrant-server":  # where the first must stay open to clean up
        backend = open_backend()
        cats = backend.get(cats.info().name)
    backend.close()
    backend.close()
    calls: list[Callable[[], object]] = [
        backend.list,
        backend.aliases,
        cats.count,
        lambda: cats.upsert([Point(1, axis(0))]),
        lambda: cats.search(Search(axis(0)[None])),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            call()


# ---- snapshots


def test_a_snapshot_holds_a_moment_and_is_restored(
    place: str, backend: Backend, cats: Collection, fresh: Callable[[], str]
) -> None:
    cats.upsert([Point(n, axis(n), f"text {n}", {"n": n}) for n in range(5)])
    if place == "qdrant-local":
        with pytest.raises(InvalidInput):
            cats.create_snapshot()
        return
    made = cats.create_snapshot()
    assert (made.count, made.bytes > 0, len(made.sha256)) == (5, True, 64)
    assert cats.snapshots() == [made]
    if place == "embedded":
        cats.delete(Selection(ids=[0]))
        copy = backend.restore(fresh(), cats.snapshot_path(made.name))
        assert copy.count() == 5
        assert [(point.id, point.text, point.metadata) for point in copy.get([0])] == [(0, "text 0", {"n": 0})]
    cats.delete_snapshot(made.name)
    assert cats.snapshots() == []


def test_a_snapshot_that_is_not_there_is_not_found(
    place: str, backend: Backend, cats: Collection, tmp_path: Path
) -> None:
    assert cats.snapshots() == []
    with pytest.raises(NotFound):
        cats.delete_snapshot("nothing")
    with pytest.raises(NotFound if place == "embedded" else InvalidInput):
        cats.snapshot_path("nothing")
    broken = tmp_path / "broken"
    broken.write_bytes(b"no snapshot")
    with pytest.raises(InvalidInput):
        backend.restore("restored", broken)
