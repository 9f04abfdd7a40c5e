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
    assert client.post("/collections/default/count").json() == {"count": 2 if status == 200 else 0}


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
