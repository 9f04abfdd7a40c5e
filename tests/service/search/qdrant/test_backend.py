"""What is sent to Qdrant, and what is not touched there."""

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from service.errors import Conflict, InvalidInput, StorageFull
from service.search.backend import Backend, Collection
from service.search.filters.model import Filter, MatchAny, MatchExcept, MatchText, Range, TimeRange
from service.search.points import Point, Search, Selection
from tests.service.search.qdrant.conftest import DESCRIBED, FACTS, FakeQdrant, Opened

VECTOR = np.ones(4, np.float32)


def test_it_is_a_backend_with_collections(opened: Opened) -> None:
    backend: Backend = opened()
    collection: Collection = backend.get("cats")
    assert collection.info().count == 3
    assert [info.name for info in backend.list()] == ["cats"]


def test_collections_of_others_are_neither_shown_nor_touched(opened: Opened) -> None:
    client = QdrantClient(":memory:")
    client.create_collection("theirs", vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    client.create_collection(
        "half", vectors_config={}, metadata={"mcse": {"name": "half", "fingerprint": "f"}, "other": 1}
    )
    client.update_collection_aliases(
        [models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name="theirs", alias_name="name"))]
    )
    backend = opened(client)
    backend.create("ours", space="sentence")
    assert [info.name for info in backend.list()] == ["ours"]
    assert backend.aliases() == {}
    for name in ("theirs", "half", "name"):
        with pytest.raises(Conflict):
            backend.get(name)
        with pytest.raises(Conflict):
            backend.drop(name)
        with pytest.raises(Conflict):
            backend.create(name, space="sentence")
    with pytest.raises(Conflict):
        backend.set_alias("name", "ours")
    with pytest.raises(Conflict):
        backend.delete_alias("name")
    assert client.get_aliases().aliases[0].collection_name == "theirs"


def test_a_collection_that_was_restored_under_another_name_is_that_one(opened: Opened) -> None:
    client = QdrantClient(":memory:")
    backend = opened(client)
    backend.create("first", space="sentence").upsert([Point("a", VECTOR)])
    facts = client.get_collection("first").config.metadata
    params = client.get_collection("first").config.params
    assert isinstance(params.vectors, dict)
    client.create_collection(
        "second", vectors_config=params.vectors, sparse_vectors_config=params.sparse_vectors, metadata=facts
    )
    assert (backend.get("second").info().name, backend.get("second").count()) == ("second", 0)
    assert backend.drop("second") == 0
    assert backend.get("first").count() == 1


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"index": "flat"}, {"hnsw_config": {"m": 0}}),
        ({"index": "hnsw"}, {}),
        ({"index": "auto"}, {}),
        (
            {"storage": "int8"},
            {"quantization_config": {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}},
        ),
    ],
)
def test_a_kind_of_index_is_a_setting_of_qdrant(
    fake: FakeQdrant, opened: Opened, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    opened().create("new", space="sentence", **asked)
    [body] = fake.bodies("PUT /collections/new")
    assert body.pop("metadata")["mcse"].keys() == FACTS.keys()
    vectors = body.pop("vectors")["dense"]
    assert (vectors.pop("size"), vectors.pop("distance")) == (4, "Dot")
    assert vectors == ({"on_disk": True} if "storage" in asked else {})
    assert body == {"sparse_vectors": {"words": {"modifier": "idf"}}, **sent}


def test_an_index_that_qdrant_does_not_have_is_refused(fake: FakeQdrant, opened: Opened) -> None:
    with pytest.raises(InvalidInput, match="flat, hnsw, auto"):
        opened().create("new", space="sentence", index="ivf")
    assert fake.bodies("PUT") == []


@pytest.mark.parametrize(("replicas", "confirmed"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_shards_and_replicas_are_those_of_the_settings(
    fake: FakeQdrant, opened: Opened, replicas: int, confirmed: int
) -> None:
    opened(shard_number=6, replication_factor=replicas).create("new", space="sentence")
    [body] = fake.bodies("PUT /collections/new")
    assert body["shard_number"] == 6
    assert (body["replication_factor"], body["write_consistency_factor"]) == (replicas, confirmed)


def test_writes_wait_and_are_in_order(fake: FakeQdrant, opened: Opened) -> None:
    cats, some = opened().get("cats"), Selection(ids=["a"])
    cats.upsert([Point("a", VECTOR)])
    cats.upsert([Point("a", VECTOR)], on_conflict="skip")
    cats.delete(some)
    cats.set_metadata(some, {"a": 1})
    cats.delete_metadata(some, ["a"])
    writes = [line for line, _ in fake.asked if "wait=" in line]
    assert len(writes) == 5
    assert all("wait=true" in line and "ordering=strong" in line for line in writes)
    assert [body["update_mode"] for body in fake.bodies("PUT /collections/cats/points")] == ["upsert", "insert_only"]


def test_the_limit_of_points_is_asked_for_cheaply(fake: FakeQdrant, opened: Opened) -> None:
    cats = opened(max_points=4).get("cats")
    cats.upsert([Point("a", VECTOR)])
    with pytest.raises(StorageFull, match="over its limit of 4"):
        cats.upsert([Point("a", VECTOR), Point("b", VECTOR)])
    assert [body["exact"] for body in fake.bodies("POST /collections/cats/points/count")] == [False, False]
    assert len(fake.bodies("PUT /collections/cats/points")) == 1


def test_a_search_of_codes_is_scored_again(fake: FakeQdrant, opened: Opened) -> None:
    searches = {}
    for index, storage in (("flat", "float32"), ("flat", "int8"), ("auto", "int8"), ("auto", "float32")):
        facts = {**FACTS, "index": index, "storage": storage}
        config = {**DESCRIBED["config"], "metadata": {"mcse": facts}}  # type: ignore[dict-item]
        fake.answers["GET /collections/cats"] = {**DESCRIBED, "config": config}
        cats = opened().get("cats")
        for exact in (False, True):
            cats.search(Search(VECTOR[None], exact=exact))
            [search] = fake.bodies("POST /collections/cats/points/query/batch")[-1]["searches"]
            searches[index, storage, exact] = search.get("params")
    codes, whole = {"quantization": {"rescore": True, "oversampling": 2.0}}, {"exact": True}
    assert {key for key, params in searches.items() if params and params.get("exact")} == {
        key for key in searches if key[2] or key[:2] == ("flat", "float32")
    }
    assert searches["auto", "float32", False] is None
    assert searches["auto", "float32", True] == whole
    for index in ("auto", "flat"):
        found = {name: value for name, value in searches[index, "int8", False].items() if name == "quantization"}
        assert found["quantization"].items() >= codes["quantization"].items()


def test_a_field_is_indexed_when_a_filter_first_names_it(fake: FakeQdrant, opened: Opened) -> None:
    backend = opened()
    wanted = Filter(
        must=(MatchAny("word", ("a", "b")), Filter(should=(MatchAny("yes", (True,)), Range("size", gt=1)))),
        must_not=(
            TimeRange("seen", gt=1),
            MatchText("says", ("a",)),
            MatchAny("known", ("x",)),
            MatchExcept("no", ("a",)),
        ),
    )
    for _ in range(2):
        backend.get("cats").count(Selection(filter=wanted))
    backend.get("cats").search(Search(VECTOR[None], filter=Filter(must=(MatchAny("size", (1,)),))))
    made = {body["field_name"]: body["field_schema"] for body in fake.bodies("PUT /collections/cats/index")}
    assert len(fake.bodies("PUT /collections/cats/index")) == 5
    assert made.pop("metadata.says")["type"] == "text"
    assert made == {
        "metadata.word": "keyword",
        "metadata.yes": "bool",
        "metadata.size": "float",
        "metadata.seen": "datetime",
    }
    waited = {
        line.split("wait=")[1][:4] for line, body in fake.asked if "/index" in line and "says" in body["field_name"]
    }
    assert waited == {"true"}


def test_a_filter_works_where_no_index_can_be_made(fake: FakeQdrant, opened: Opened) -> None:
    fake.answers["PUT /collections/cats/index"] = (403, {})
    assert opened().get("cats").count(Selection(filter=Filter(must=(Range("a", gt=1),)))) == 3


def test_a_report_says_what_qdrant_says(fake: FakeQdrant, opened: Opened) -> None:
    cats = opened().get("cats")
    report = cats.report()
    assert (report.kind, report.memory_bytes, report.building, report.recall) == ("flat", 3 * 4 * 4, False, None)
    fake.answers["GET /collections/cats"] = {**DESCRIBED, "status": "yellow", "indexed_vectors_count": 2}
    report = cats.report()
    assert (report.kind, report.memory_bytes, report.building) == ("hnsw", 3 * 4 * 4 + 2 * 16 * 2 * 4, True)


def test_snapshots_are_those_that_this_service_made(fake: FakeQdrant, opened: Opened) -> None:
    cats = opened().get("cats")
    kept = [
        {"name": "new", "creation_time": "2026-02-02T00:00:00", "size": 20, "checksum": "b" * 64},
        {"name": "old", "creation_time": "2026-01-01T00:00:00Z", "size": 10, "checksum": None},
        {"name": "theirs", "creation_time": "2026-03-01T00:00:00", "size": 10, "checksum": "c" * 64},
    ]
    fake.answers["GET /collections/cats/snapshots"] = kept
    fake.answers["POST /collections/cats/snapshots"] = kept[0]
    fake.answers["PATCH /collections/cats"] = True
    fake.answers["DELETE /collections/cats/snapshots/old"] = True
    old, new = cats.snapshots()
    assert (old.name, old.count, old.created_at, old.sha256) == ("old", 5, "2026-01-01T00:00:00Z", "")
    assert (new.name, new.count, new.created_at, new.bytes) == ("new", 7, "2026-02-02T00:00:00Z", 20)
    assert cats.create_snapshot().count == 3
    cats.delete_snapshot("old")
    notes = [body["metadata"] for body in fake.bodies("PATCH")]
    assert notes == [{"mcse.snapshot.new": 3}, {"mcse.snapshot.old": None}]


@pytest.mark.parametrize("selection", [Selection(), Selection(ids=["a"], filter=Filter())])
def test_which_points_is_said_in_one_way(fake: FakeQdrant, opened: Opened, selection: Selection) -> None:
    cats = opened().get("cats")
    for refused in (
        lambda: cats.count(selection),
        lambda: cats.delete(selection),
        lambda: cats.scroll(limit=1, selection=selection),
        lambda: cats.set_metadata(selection, {}),
        lambda: cats.delete_metadata(selection, []),
    ):
        with pytest.raises(InvalidInput, match="one of the two"):
            refused()
    assert fake.bodies("POST") == []
