from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.search.collections import Collections

Start = Callable[..., httpx.Client]


@pytest.fixture
def made(client: httpx.Client) -> httpx.Client:
    answer = client.put("/collections/pets", json={"space": "grounded", "metric": "cosine", "description": "Animals"})
    assert answer.status_code == 201, answer.text
    return client


def put_points(client: httpx.Client, *points: dict[str, Any]) -> Any:
    answer = client.put("/collections/pets/points", json={"points": list(points)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_collection_says_what_it_is(made: httpx.Client) -> None:
    info = made.get("/collections/pets").json()
    assert isinstance(info["created_at"], str)
    assert info == {
        "name": "pets",
        "space": "grounded",
        "metric": "cosine",
        "dimension": 8,
        "model_fingerprint": "f" * 64,
        "index": "flat",
        "description": "Animals",
        "created_at": info["created_at"],
        "count": 0,
    }
    assert made.get("/collections").json() == {"collections": [info]}


def test_a_name_is_taken_once(made: httpx.Client) -> None:
    answer = made.put("/collections/pets", json={})
    assert answer.status_code == 409
    assert answer.json()["error_type"] == "Conflict"


def test_a_dropped_collection_is_gone(made: httpx.Client) -> None:
    put_points(made, {"text": "a dog"}, {"text": "a cat"})
    assert made.delete("/collections/pets").json() == {"deleted": 2}
    assert made.get("/collections/pets").status_code == 404
    assert made.delete("/collections/pets").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("PUT", "/points", {"points": [{"text": "a"}]}),
        ("GET", "/points/a", None),
        ("POST", "/points/delete", {"ids": ["a"]}),
        ("POST", "/search", {"query": "a"}),
        ("POST", "/count", None),
    ],
)
def test_an_unknown_collection_is_404_everywhere(client: httpx.Client, method: str, path: str, body: Any) -> None:
    answer = client.request(method, f"/collections/nothing{path}", json=body)
    assert answer.status_code == 404
    assert answer.json()["error_type"] == "NotFound"


@pytest.mark.parametrize("name", ["%00", ".hidden", "a%20b", "x" * 129, "caf%C3%A9", "a%0Ab", "a%0A"])
def test_a_name_that_breaks_the_rule_is_refused(client: httpx.Client, name: str) -> None:
    assert client.put(f"/collections/{name}", json={}).status_code == 422
    assert client.get(f"/collections/{name}").status_code == 422


@pytest.mark.parametrize(
    "body", [{"space": "other"}, {"metric": "other"}, {"description": 5}, {"description": "x" * 1001}]
)
def test_a_collection_of_an_unknown_kind_is_refused(client: httpx.Client, body: Any) -> None:
    assert client.put("/collections/new", json=body).status_code == 422
    assert client.get("/collections/new").status_code == 404


def test_points_are_written_read_counted_and_deleted(made: httpx.Client) -> None:
    written = put_points(made, {"id": "a", "text": "a dog", "metadata": {"legs": 4}}, {"id": 7, "text": "a cat"})
    assert written == {"ids": ["a", 7], "count": 2, "inserted": 2, "replaced": 0}
    point = made.get("/collections/pets/points/a").json()
    assert (point["id"], point["text"], point["metadata"]) == ("a", "a dog", {"legs": 4})
    assert made.post("/collections/pets/count").json() == {"count": 2}
    assert made.post("/collections/pets/points/delete", json={"ids": ["a", "unknown", 8]}).json() == {"deleted": 1}
    assert made.get("/collections/pets/points/a").status_code == 404
    assert made.post("/collections/pets/count").json() == {"count": 1}


def test_a_number_in_the_path_is_the_string_where_that_exists_else_the_integer(made: httpx.Client) -> None:
    put_points(made, {"id": 7, "text": "integer"})
    assert made.get("/collections/pets/points/7").json()["text"] == "integer"
    put_points(made, {"id": "7", "text": "string"})
    assert made.get("/collections/pets/points/7").json()["text"] == "string"


@pytest.mark.parametrize("point_id", ["a/b", "/a", "a/", "delete", "a b/?#%2F"])
def test_a_point_is_read_by_any_id_it_can_have(made: httpx.Client, point_id: str) -> None:
    put_points(made, {"id": point_id, "text": "a dog"})
    answer = made.get(f"/collections/pets/points/{quote(point_id, safe='')}")
    assert (answer.status_code, answer.json()["id"]) == (200, point_id)
    assert made.post("/collections/pets/points/delete", json={"ids": [point_id]}).json() == {"deleted": 1}


@pytest.mark.parametrize("point_id", ["nobody", "9", str(2**63), "%00", "caf%C3%A9"])
def test_an_unknown_point_is_404(made: httpx.Client, point_id: str) -> None:
    answer = made.get(f"/collections/pets/points/{point_id}")
    assert answer.status_code == 404, answer.text
    assert answer.json()["error_type"] == "NotFound"


def test_an_id_that_is_too_long_is_refused(made: httpx.Client) -> None:
    assert made.get(f"/collections/pets/points/{'x' * 129}").status_code == 422


def test_search_uses_the_space_of_the_collection(made: httpx.Client) -> None:
    put_points(made, {"id": "dog", "text": "a dog"}, {"id": "snow", "text": "snow"})
    found = made.post("/collections/pets/search", json={"query": ["snow", "a dog"], "limit": 1}).json()
    assert [hits[0]["id"] for hits in found["results"]] == ["snow", "dog"]
    assert made.post("/collections/pets/search", json={"vector": [1.0] * 8}).status_code == 200
    assert made.post("/collections/pets/search", json={"vector": [1.0] * 16}).status_code == 422


@pytest.mark.parametrize(("ids", "status"), [([], 400), ([True], 422), ([""], 422), (["a"] * 257, 422), ("a", 422)])
def test_ids_to_delete_that_break_a_rule_are_refused(made: httpx.Client, ids: Any, status: int) -> None:
    assert made.post("/collections/pets/points/delete", json={"ids": ids}).status_code == status


def test_for_a_collection_of_another_model_nothing_is_embedded(start: Start, tmp_path: Path, encoder: Any) -> None:
    earlier = Collections.open(tmp_path / "data", fingerprint="a" * 64, dimensions={"sentence": 16}, max_points=10)
    earlier.create("pets", space="sentence")
    earlier.close()
    client = start()
    warm = len(encoder.batches)
    for answer in (
        client.put("/collections/pets/points", json={"points": [{"text": "a dog"}]}),
        client.post("/collections/pets/search", json={"query": "a dog"}),
    ):
        assert answer.status_code == 409
        assert "was made with model aaaaaaaaaaaa" in answer.json()["error"]
    assert len(encoder.batches) == warm
