import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_texts_are_found_after_they_are_indexed(client: httpx.Client) -> None:
    written = post(client, "/index", {"texts": ["a dog", "a cat", "snow"]})
    assert written["count"] == written["inserted"] == 3
    assert written["replaced"] == 0
    assert all(uuid.UUID(given).version == 4 for given in written["ids"])
    found = post(client, "/search", {"query": "a cat", "limit": 2})
    assert found["model_fingerprint"] == "f" * 64
    assert found["took_ms"] >= 0
    (hits,) = found["results"]
    assert len(hits) == 2
    assert hits[0]["id"] == written["ids"][1]
    assert hits[0]["text"] == "a cat"
    assert hits[0]["metadata"] == {}
    assert hits[0]["score"] == pytest.approx(1, abs=1e-5)


def test_several_queries_get_a_list_of_hits_each(client: httpx.Client) -> None:
    post(client, "/index", {"texts": ["a dog", "a cat"]})
    found = post(client, "/search", {"query": ["a dog", "a cat", "snow"], "limit": 1})
    assert [hits[0]["text"] for hits in found["results"][:2]] == ["a dog", "a cat"]
    assert len(found["results"]) == 3


def test_an_id_written_twice_is_replaced(client: httpx.Client) -> None:
    post(client, "/index", {"points": [{"id": 7, "text": "old"}]})
    written = post(client, "/index", {"points": [{"id": 7, "text": "new", "metadata": {"year": 2021}}]})
    assert (written["inserted"], written["replaced"]) == (0, 1)
    (hits,) = post(client, "/search", {"query": "new"})["results"]
    assert [(hit["id"], hit["text"], hit["metadata"]) for hit in hits] == [(7, "new", {"year": 2021})]


def test_a_search_before_the_first_write_finds_nothing(client: httpx.Client) -> None:
    assert post(client, "/search", {"query": "anything"})["results"] == [[]]


def test_metadata_can_be_left_out_and_scores_bounded(client: httpx.Client) -> None:
    post(client, "/index", {"points": [{"text": "a dog", "metadata": {"k": "v"}}, {"text": "unrelated thing"}]})
    (hits,) = post(client, "/search", {"query": "a dog", "with_metadata": False, "score_threshold": 0.99})["results"]
    assert [set(hit) for hit in hits] == [{"id", "score", "text"}]


def test_a_vector_is_stored_with_its_text_as_payload_and_found_by_vector(client: httpx.Client) -> None:
    vector = [1.0] + [0.0] * 15
    post(client, "/index", {"points": [{"id": "v", "vector": vector, "text": "payload"}, {"id": "t", "text": "other"}]})
    (hits,) = post(client, "/search", {"vector": vector, "limit": 1})["results"]
    assert (hits[0]["id"], hits[0]["text"]) == ("v", "payload")


@pytest.mark.parametrize(("limit", "status"), [(0, 422), (-1, 422), (1, 200), (100, 200), (101, 422), (2**63, 422)])
def test_the_limit_of_hits_holds_exactly(client: httpx.Client, limit: int, status: int) -> None:
    assert client.post("/search", json={"query": "a", "limit": limit}).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"points": []}, 400),
        ({"texts": []}, 400),
        ({}, 422),
        ({"texts": ["a"], "points": []}, 422),
        ({"points": [{}]}, 422),
        ({"points": [{"id": "a"}]}, 422),
        ({"points": [{"id": "", "text": "a"}]}, 422),
        ({"points": [{"id": "x" * 129, "text": "a"}]}, 422),
        ({"points": [{"id": -1, "text": "a"}]}, 422),
        ({"points": [{"id": 2**63, "text": "a"}]}, 422),
        ({"points": [{"id": True, "text": "a"}]}, 422),
        ({"points": [{"id": 1.5, "text": "a"}]}, 422),
        ({"points": [{"id": 1, "text": "a"}, {"id": 1, "text": "b"}]}, 422),
        ({"points": [{"vector": [1.0, 2.0]}]}, 422),
        ({"points": [{"vector": []}]}, 422),
        ({"points": [{"vector": [1e39] * 16}]}, 422),
        ({"points": [{"text": "a", "metadata": []}]}, 422),
        ({"points": [{"text": " "}]}, 422),
        ({"points": [{"text": "a", "metadata": {"a": eval("[" * 33 + "]" * 33)}}]}, 422),  # noqa: S307
    ],
)
def test_points_that_break_a_rule_are_refused_and_nothing_is_written(
    client: httpx.Client, body: Any, status: int
) -> None:
    answer = client.post("/index", json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "error_type"}
    assert post(client, "/search", {"query": "a"})["results"] == [[]]


@pytest.mark.parametrize(("points", "status"), [(3, 200), (4, 422)], ids=["at the limit", "over it"])
def test_the_limit_of_points_per_request_holds_exactly(start: Start, points: int, status: int) -> None:
    client = start(max_points_per_request=3)
    assert client.post("/index", json={"texts": ["a"] * points}).status_code == status


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 422)], ids=["at the limit", "over it"])
@pytest.mark.parametrize("field", ["metadata", "text", "text beside a vector"])
def test_what_a_point_holds_is_bounded_exactly(start: Start, field: str, size: int, status: int) -> None:
    client = start(max_metadata_bytes=100, max_chars=100)
    points: dict[str, dict[str, Any]] = {
        "metadata": {"text": "a", "metadata": {"k": "\u00e9" * ((size - 8) // 2) + "x" * (size % 2)}},
        "text": {"text": "a" * size},
        "text beside a vector": {"text": "a" * size, "vector": [1.0] * 16},
    }
    answer = client.post("/index", json={"points": [{"text": "a"}, points[field]]})
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["error"].startswith("points[1]: the ")
        assert "101" in answer.json()["error"]
        assert "the limit is 100" in answer.json()["error"]
    assert len(post(client, "/search", {"query": "a"})["results"][0]) == (2 if status == 200 else 0)


@pytest.mark.parametrize(("queries", "status"), [(3, 200), (4, 422)], ids=["at the limit", "over it"])
def test_the_limit_of_hits_of_all_queries_holds_exactly(start: Start, encoder: Any, queries: int, status: int) -> None:
    client = start(max_limit=10, max_hits=15)
    warm = len(encoder.batches)
    answer = client.post("/search", json={"query": ["a"] * queries, "limit": 5})
    assert answer.status_code == status
    if status == 422:
        assert "4 queries x `limit` 5 may give 20 hits; the limit is 15 per request" in answer.json()["error"]
        assert len(encoder.batches) == warm


@pytest.mark.parametrize(
    "body",
    [{}, {"query": "a", "vector": [1.0]}, {"vector": [1.0] * 15}, {"vector": []}, {"vector": [1e39] * 16}],
    ids=["neither", "both", "wrong width", "empty vector", "not finite in float32"],
)
def test_a_search_that_breaks_a_rule_is_refused(client: httpx.Client, body: Any) -> None:
    answer = client.post("/search", json=body)
    assert answer.status_code == 422, answer.text


def test_an_empty_list_of_queries_is_refused(client: httpx.Client) -> None:
    assert client.post("/search", json={"query": []}).status_code == 400


@pytest.fixture
def pets(client: httpx.Client) -> httpx.Client:
    """Six animals, whose vectors are those of their texts."""
    client.put("/collections/pets", json={})
    texts = ["a brown dog", "a black dog", "a black cat", "a white cat", "a brown horse", "a black horse"]
    points = [
        {"id": n, "text": text, "metadata": {"colour": text.split()[1], "kind": text.split()[2], "n": n}}
        for n, text in enumerate(texts)
    ]
    put = client.put("/collections/pets/points", json={"points": points})
    assert put.status_code == 200, put.text
    return client


def find(client: httpx.Client, **body: Any) -> Any:
    return post(client, "/collections/pets/search", body)


def ids(found: Any) -> list[list[Any]]:
    return [[hit["id"] for hit in hits] for hits in found["results"]]


def vector_of(client: httpx.Client, point_id: int) -> list[float]:
    vector: list[float] = client.get(f"/collections/pets/points/{point_id}").json()["vector"]
    return vector


def test_one_vector_or_several_are_searched_for(pets: httpx.Client) -> None:
    assert ids(find(pets, vector=vector_of(pets, 3), limit=1)) == [[3]]
    several = find(pets, vectors=[vector_of(pets, 5), vector_of(pets, 0)], limit=1)
    assert (ids(several), several["truncated"]) == ([[5], [0]], 0)


def test_more_like_a_point_leaves_the_point_itself_out(pets: httpx.Client) -> None:
    (all_hits,) = ids(find(pets, vector=vector_of(pets, 2)))
    assert all_hits[0] == 2
    assert ids(find(pets, id=2)) == [all_hits[1:]]
    (alike_2,), (alike_4,) = ids(find(pets, id=2)), ids(find(pets, id=4))
    assert ids(find(pets, ids=[2, 4])) == [alike_2, alike_4]
    assert 4 in alike_2
    assert ids(find(pets, ids=[2, 4], limit=2, offset=1)) == [alike_2[1:3], alike_4[1:3]]


def test_more_like_a_point_that_is_not_there_is_404(pets: httpx.Client) -> None:
    answer = pets.post("/collections/pets/search", json={"ids": [1, "1"]})
    assert answer.status_code == 404
    assert "position 1" in answer.json()["error"]


def test_an_offset_passes_over_the_best_hits(pets: httpx.Client) -> None:
    (hits,) = ids(find(pets, query="a black cat"))
    assert ids(find(pets, query="a black cat", limit=2, offset=3)) == [hits[3:5]]
    assert ids(find(pets, query="a black cat", offset=6)) == [[]]


def test_parts_that_are_not_asked_for_are_absent(pets: httpx.Client) -> None:
    asked = {"with_text": False, "with_metadata": False, "with_vector": True}
    ((hit, *_),) = find(pets, query="a black cat", **asked)["results"]
    assert (set(hit), hit["vector"]) == ({"id", "score", "vector"}, vector_of(pets, 2))


def test_a_filter_bounds_what_is_found(pets: httpx.Client) -> None:
    black = {"must": [{"key": "colour", "match": {"value": "black"}}]}
    (hits,) = ids(find(pets, query="a white cat", filter=black))
    assert sorted(hits) == [1, 2, 5]
    horses = {"must": [{"key": "n", "range": {"gte": 4}}], "must_not": [{"has_id": [5]}]}
    assert ids(find(pets, query="a dog", filter=horses, exact=True)) == [[4]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"musst": []}, "filter"),
        ({"must": [{"key": "n", "between": [1, 2]}]}, "filter.must"),
        ({"must": [{"key": "n", "range": {"gte": "canary-7f3a"}}]}, "filter.must"),
        ([], "`filter` must be an object, not a list"),
    ],
)
def test_a_filter_that_is_none_is_refused_before_anything_is_embedded(
    start: Start, encoder: Any, given: Any, told: str
) -> None:
    client = start()
    client.put("/collections/pets", json={})
    warm = len(encoder.batches)
    answer = client.post("/collections/pets/search", json={"query": "a", "filter": given})
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["error"]
    assert "canary" not in answer.text
    assert len(encoder.batches) == warm


def test_words_are_searched_for_without_the_model(start: Start, encoder: Any) -> None:
    client = start()
    client.put("/collections/pets", json={})
    client.put("/collections/pets/points", json={"points": [{"id": 1, "text": "a dog"}, {"id": 2, "text": "snow"}]})
    warm = len(encoder.batches)
    found = find(client, query=["snow", "ice"], mode="lexical")
    assert (ids(found), len(encoder.batches)) == ([[2], []], warm)
    assert set(found["results"][0][0]) == {"id", "score", "text", "metadata"}


def test_a_hybrid_search_tells_both_scores(pets: httpx.Client) -> None:
    (hits,) = find(pets, query="a white cat", mode="hybrid")["results"]
    assert hits[0]["id"] == 3
    assert hits[0]["dense_score"] == pytest.approx(1, abs=1e-4)
    assert hits[0]["lexical_score"] > 0
    assert sorted((hit["score"] for hit in hits), reverse=True) == [hit["score"] for hit in hits]


def test_hits_are_grouped_by_a_field(pets: httpx.Client) -> None:
    found = find(pets, query="a black cat", group_by="kind", group_size=2, limit=2)
    assert "results" not in found
    (groups,) = found["groups"]
    assert groups[0]["value"] == "cat"
    assert [hit["id"] for hit in groups[0]["hits"]] == [2, 3]
    assert len(groups) == 2
    assert all(1 <= len(group["hits"]) <= 2 for group in groups)
    best = find(pets, query="a black cat", group_by="kind")["groups"][0]
    assert {group["value"]: len(group["hits"]) for group in best} == {"cat": 1, "dog": 1, "horse": 1}


def test_queries_that_were_cut_are_counted(pets: httpx.Client) -> None:
    long = "word " * 20
    assert find(pets, query=["a", long, long])["truncated"] == 2
    assert pets.post("/collections/pets/search", json={"query": long, "truncate": False}).status_code == 422


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"query": "a", "id": 1}, "needs either"),
        ({"vectors": [[1.0]], "ids": [1]}, "needs either"),
        ({"vector": [1.0] * 16, "mode": "hybrid"}, "needs a `query`"),
        ({"id": 1, "mode": "lexical"}, "needs a `query`"),
        ({"query": "a", "mode": "canary-7f3a"}, "`mode`"),
        ({"query": "a", "group_size": 2}, "needs `group_by`"),
        ({"query": "a", "group_by": "k", "group_size": 0}, "`group_size`"),
        ({"query": "a", "group_by": "k", "offset": 1}, "cannot take `offset`"),
        ({"query": "a", "group_by": "k", "group_size": 129}, "x `group_size` 129 may give 1290 hits"),
        ({"query": "a", "offset": -1}, "`offset`"),
        ({"query": "a", "offset": 10_001}, "pass over 10001 hits"),
        ({"query": ["a"] * 2, "offset": 5_001}, "pass over 10002 hits"),
        ({"vectors": [[1.0] * 16, [1.0] * 15]}, "15 to 16 numbers"),
        ({"query": ["a"] * 129, "limit": 1}, "There are 129 queries"),
        ({"ids": [1] * 129, "limit": 1}, "There are 129 queries"),
        ({"query": "a" * 8193, "mode": "lexical"}, "8193 characters"),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_the_reason(pets: httpx.Client, body: Any, told: str) -> None:
    answer = pets.post("/collections/pets/search", json=body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["error"]
    assert "canary" not in answer.text


@pytest.mark.parametrize("field", ["query", "vectors", "ids"])
def test_a_search_for_nothing_is_refused(pets: httpx.Client, field: str) -> None:
    assert pets.post("/collections/pets/search", json={field: []}).status_code == 400


def test_the_default_collection_takes_the_same_fields(client: httpx.Client) -> None:
    post(client, "/index", {"points": [{"id": 1, "text": "a dog", "metadata": {"k": 1}}, {"id": 2, "text": "snow"}]})
    skipped = post(client, "/index", {"points": [{"id": 1, "text": "other"}], "on_conflict": "skip"})
    assert skipped["skipped"] == 1
    found = post(client, "/search", {"id": 2, "filter": {"must": [{"key": "k", "match": {"value": 1}}]}})
    assert ids(found) == [[1]]
    assert client.post("/search", json={"id": 3}).status_code == 404


def test_several_searches_are_answered_together_as_alone(pets: httpx.Client) -> None:
    searches: list[dict[str, Any]] = [
        {"query": ["a black cat", "a dog"], "limit": 2},
        {"id": 1, "with_text": False},
        {"query": "a white horse " * 10, "group_by": "kind", "filter": {"must_not": [{"has_id": [0]}]}},
    ]
    together = post(pets, "/collections/pets/search/batch", {"searches": searches})
    alone = [find(pets, **search) for search in searches]
    for one, other in zip(together["answers"], alone, strict=True):
        assert one == {name: other[name] for name in other if name not in ("model_fingerprint", "took_ms")}
    assert together["answers"][2]["truncated"] == 1
    assert together["model_fingerprint"] == "f" * 64


@pytest.mark.parametrize(
    ("searches", "status", "told"),
    [
        ([], 400, "at least one"),
        ([{"query": "a"}, {"query": "b", "limit": 0}], 422, "`searches.1.limit`"),
        ([{"query": "a"}, {"id": 99}], 404, "searches[1]: There is no point"),
        ([{"query": "a"}, {"query": " "}], 422, "searches[1]: "),
        ([{"query": "a"}, {"vector": [1.0]}], 422, "searches[1]: "),
        ([{"query": "a", "limit": 100}] * 13, 422, "13 searches may give 1300 hits"),
        ([{"query": "a", "limit": 1}] * 129, 422, "There are 129 queries"),
        ([{"query": "a", "offset": 5000}] * 3, 422, "pass over 15000 hits"),
        ([{"query": "a"}, {"query": "b", "filter": {"x": 1}}], 422, "searches[1]: "),
    ],
)
def test_several_searches_fail_together_with_the_reason(
    pets: httpx.Client, searches: Any, status: int, told: str
) -> None:
    answer = pets.post("/collections/pets/search/batch", json={"searches": searches})
    assert answer.status_code == status, answer.text
    assert told in answer.json()["error"]


@pytest.mark.parametrize(("breadth", "status"), [(1, 200), (4_096, 200), (0, 422), (4_097, 422), (2.5, 422)])
def test_breadth_is_taken_within_its_bounds(client: httpx.Client, breadth: float, status: int) -> None:
    client.post("/index", json={"texts": ["a cat", "a dog"]})
    answer = client.post("/search", json={"query": "a cat", "breadth": breadth})
    assert answer.status_code == status, answer.text
