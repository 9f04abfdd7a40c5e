from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.search.embedded.collections import Collections
from service.search.indexes import graph

Start = Callable[..., httpx.Client]


@pytest.fixture
def made(client: httpx.Client) -> httpx.Client:
    answer = client.put("/collections/pets", json={"space": "grounded", "metric": "cosine", "description": "Animals"})
    assert answer.status_code == 201, answer.text
    return client


def write(client: httpx.Client, name: str, *points: dict[str, Any]) -> None:
    answer = client.put(f"/collections/{name}/points", json={"points": list(points)})
    assert answer.status_code == 200, answer.text


def test_a_collection_says_what_it_is(made: httpx.Client) -> None:
    write(made, "pets", {"text": "a dog"}, {"text": "a cat"})
    told = made.get("/collections/pets").json()
    status = told.pop("status")
    assert told.pop("aliases") == []
    assert isinstance(told["created_at"], str)
    assert told == {
        "name": "pets",
        "space": "grounded",
        "metric": "cosine",
        "dimension": 8,
        "model_fingerprint": "f" * 64,
        "index": "auto",
        "storage": "float32",
        "description": "Animals",
        "created_at": told["created_at"],
        "count": 2,
    }
    assert made.get("/collections").json() == {"collections": [told]}
    assert status["memory_bytes"] > 0
    assert {**status, "memory_bytes": 0} == {
        "index": "flat",
        "memory_bytes": 0,
        "deleted_share": 0.0,
        "building": False,
        "recall": 1.0,
        "last_snapshot": None,
    }


def test_the_recall_of_an_approximate_index_is_measured_when_it_is_asked_for(client: httpx.Client) -> None:
    if not graph.is_available():
        pytest.skip("the kernel of the graph is not built")
    client.put("/collections/pets", json={"index": "hnsw"})
    write(client, "pets", *({"text": f"dog {n}"} for n in range(200)))
    assert client.get("/collections/pets").json()["status"]["recall"] is None
    measured = client.get("/collections/pets?measure=true").json()["status"]["recall"]
    assert 0.9 <= measured <= 1
    assert client.get("/collections/pets").json()["status"]["recall"] == measured


@pytest.mark.parametrize("query", ["mesure=true", "measure=perhaps", "measure=true&canary-7f3a=1"])
def test_an_unknown_parameter_is_refused(made: httpx.Client, query: str) -> None:
    answer = made.get(f"/collections/pets?{query}")
    assert answer.status_code == 422
    assert "measure" in answer.json()["error"]
    assert "canary" not in answer.text


def test_a_name_is_taken_once(made: httpx.Client) -> None:
    answer = made.put("/collections/pets", json={})
    assert answer.status_code == 409
    assert answer.json()["error_type"] == "Conflict"


def test_a_dropped_collection_is_gone(made: httpx.Client) -> None:
    write(made, "pets", {"text": "a dog"}, {"text": "a cat"})
    assert made.delete("/collections/pets").json() == {"deleted": 2}
    assert made.get("/collections/pets").status_code == 404
    assert made.delete("/collections/pets").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("PUT", "/points", {"points": [{"text": "a"}]}),
        ("POST", "/points", {"ids": ["a"]}),
        ("GET", "/points/a", None),
        ("POST", "/points/delete", {"ids": ["a"]}),
        ("POST", "/points/scroll", {}),
        ("POST", "/points/metadata", {"ids": ["a"], "metadata": {"k": 1}}),
        ("POST", "/points/metadata/delete", {"ids": ["a"], "keys": ["k"]}),
        ("POST", "/search", {"query": "a"}),
        ("POST", "/search", {"vector": [1.0]}),
        ("POST", "/search", {"id": "a"}),
        ("POST", "/search/batch", {"searches": [{"query": "a"}]}),
        ("POST", "/duplicates", {}),
        ("POST", "/count", None),
        ("POST", "/snapshots", None),
        ("GET", "/snapshots", None),
        ("GET", "/snapshots/s", None),
        ("DELETE", "/snapshots/s", None),
        ("POST", "/snapshots/s/restore", {}),
        ("POST", "/import", {"text": "a"}),
        ("GET", "/export", None),
    ],
)
def test_an_unknown_collection_is_404_everywhere(client: httpx.Client, method: str, path: str, body: Any) -> None:
    answer = client.request(method, f"/collections/nothing{path}", json=body)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error_type"] == "NotFound"


@pytest.mark.parametrize("name", ["%00", ".hidden", "a%20b", "x" * 129, "caf%C3%A9", "a%0Ab", "a%0A"])
def test_a_name_that_breaks_the_rule_is_refused(client: httpx.Client, name: str) -> None:
    assert client.put(f"/collections/{name}", json={}).status_code == 422
    assert client.get(f"/collections/{name}").status_code == 422
    assert client.put(f"/aliases/{name}", json={"collection": "pets"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"space": "other"},
        {"metric": "other"},
        {"index": "other"},
        {"storage": "float16"},
        {"description": 5},
        {"description": "x" * 1001},
    ],
)
def test_a_collection_of_an_unknown_kind_is_refused(client: httpx.Client, body: Any) -> None:
    assert client.put("/collections/new", json=body).status_code == 422
    assert client.get("/collections/new").status_code == 404


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "auto"])
@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_every_kind_of_index_is_made_and_searched(client: httpx.Client, kind: str, storage: str) -> None:
    made = client.put("/collections/pets", json={"index": kind, "storage": storage})
    assert made.status_code == 201, made.text
    assert (made.json()["index"], made.json()["storage"]) == (kind, storage)
    write(client, "pets", {"id": 1, "text": "a dog"}, {"id": 2, "text": "a cat"})
    found = client.post("/collections/pets/search", json={"query": "a cat", "limit": 1}).json()
    assert found["results"][0][0]["id"] == 2


def test_an_alias_stands_for_a_collection_wherever_a_name_is_taken(made: httpx.Client) -> None:
    answer = made.put("/aliases/animals", json={"collection": "pets"})
    assert (answer.status_code, answer.json()) == (200, {"alias": "animals", "collection": "pets", "before": None})
    write(made, "animals", {"id": 1, "text": "a dog"})
    assert made.post("/collections/pets/count").json() == {"count": 1}
    assert made.post("/collections/animals/search", json={"id": 1}).json()["results"] == [[]]
    told = made.get("/collections/animals").json()
    assert (told["name"], told["aliases"]) == ("pets", ["animals"])
    assert made.get("/aliases").json() == {"aliases": [{"alias": "animals", "collection": "pets"}]}


def test_an_alias_is_switched_and_says_what_it_stood_for(made: httpx.Client) -> None:
    made.put("/collections/more", json={})
    made.put("/aliases/animals", json={"collection": "pets"})
    assert made.put("/aliases/animals", json={"collection": "more"}).json()["before"] == "pets"
    assert made.get("/collections/animals").json()["name"] == "more"
    assert made.delete("/aliases/animals").json() == {"deleted": 1}
    assert made.get("/collections/animals").status_code == 404
    assert made.get("/collections/more").status_code == 200


def test_a_collection_is_not_dropped_by_its_alias(made: httpx.Client) -> None:
    made.put("/aliases/animals", json={"collection": "pets"})
    answer = made.delete("/collections/animals")
    assert answer.status_code == 409
    assert 'alias for the collection "pets"' in answer.json()["error"]
    assert made.delete("/collections/pets").status_code == 200
    assert made.get("/aliases").json() == {"aliases": []}


def test_aliases_that_cannot_be_are_refused(made: httpx.Client) -> None:
    assert made.put("/aliases/animals", json={"collection": "nothing"}).status_code == 404
    assert made.put("/aliases/pets", json={"collection": "pets"}).status_code == 409
    made.put("/aliases/animals", json={"collection": "pets"})
    assert made.put("/collections/animals", json={}).status_code == 409
    assert made.delete("/aliases/nothing").status_code == 404
    assert made.delete("/aliases/pets").status_code == 404


def test_for_a_collection_of_another_model_nothing_is_embedded(start: Start, tmp_path: Path, encoder: Any) -> None:
    earlier = Collections.open(tmp_path / "data", fingerprint="a" * 64, dimensions={"sentence": 16}, max_points=10)
    earlier.create("pets", space="sentence")
    earlier.close()
    client = start()
    warm = len(encoder.batches)
    for answer in (
        client.put("/collections/pets/points", json={"points": [{"text": "a dog"}]}),
        client.post("/collections/pets/search", json={"query": "a dog"}),
        client.post("/collections/pets/import", json={"text": "a dog"}),
    ):
        assert answer.status_code == 409
        assert "was made with model aaaaaaaaaaaa" in answer.json()["error"]
    assert len(encoder.batches) == warm
