from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

Start = Callable[..., httpx.Client]

ANIMALS = {"must": [{"key": "kind", "match": {"value": "animal"}}]}


@pytest.fixture
def made(client: httpx.Client) -> httpx.Client:
    assert client.put("/collections/pets", json={}).status_code == 201
    return client


def put_points(client: httpx.Client, *points: dict[str, Any], **more: Any) -> Any:
    answer = client.put("/collections/pets/points", json={"points": list(points), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(f"/collections/pets{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def three(client: httpx.Client) -> None:
    put_points(
        client,
        {"id": "a", "text": "a dog", "metadata": {"kind": "animal", "legs": 4}},
        {"id": 7, "text": "a cat", "metadata": {"kind": "animal", "legs": 4}},
        {"id": "b", "text": "snow", "metadata": {"kind": "weather"}},
    )


def test_points_are_written_read_counted_and_deleted(made: httpx.Client) -> None:
    written = put_points(made, {"id": "a", "text": "a dog", "metadata": {"legs": 4}}, {"id": 7, "text": "a cat"})
    assert written == {
        "ids": ["a", 7], "count": 2, "inserted": 2, "replaced": 0, "skipped": 0, "truncated": 0, "truncated_ids": [],
    }  # fmt: skip
    point = made.get("/collections/pets/points/a").json()
    assert (point["id"], point["text"], point["metadata"], len(point["vector"])) == ("a", "a dog", {"legs": 4}, 16)
    assert post(made, "/count", None) == {"count": 2}
    assert post(made, "/points/delete", {"ids": ["a", "unknown", 8]}) == {"deleted": 1}
    assert made.get("/collections/pets/points/a").status_code == 404
    assert made.post("/collections/pets/count").json() == {"count": 1}


def test_texts_that_were_cut_are_named(made: httpx.Client) -> None:
    long = "word " * 20
    written = put_points(
        made, {"id": "a", "text": "a"}, {"id": "b", "text": long}, {"id": 3, "text": long, "vector": [1.0] * 16}
    )
    assert (written["truncated"], written["truncated_ids"]) == (1, ["b"])


def test_an_id_that_is_there_is_replaced_skipped_or_an_error(made: httpx.Client, client: httpx.Client) -> None:
    put_points(made, {"id": 1, "text": "old"})
    again = [{"id": 1, "text": "new"}, {"id": 2, "text": "other"}]
    refused = made.put("/collections/pets/points", json={"points": again, "on_conflict": "error"})
    assert (refused.status_code, refused.json()["error_type"]) == (409, "Conflict")
    assert post(made, "/count", {}) == {"count": 1}
    skipped = put_points(made, *again, on_conflict="skip")
    assert {name: skipped[name] for name in ("ids", "count", "inserted", "replaced", "skipped")} == {
        "ids": [1, 2], "count": 1, "inserted": 1, "replaced": 0, "skipped": 1,
    }  # fmt: skip
    assert made.get("/collections/pets/points/1").json()["text"] == "old"
    replaced = put_points(made, *again)
    assert (replaced["inserted"], replaced["replaced"]) == (0, 2)
    assert made.get("/collections/pets/points/1").json()["text"] == "new"
    unknown = made.put("/collections/pets/points", json={"points": again, "on_conflict": "merge"})
    assert unknown.status_code == 422


def test_a_text_that_is_skipped_is_not_embedded(start: Start, encoder: Any) -> None:
    client = start()
    client.put("/collections/pets", json={})
    put_points(client, {"id": 1, "text": "old"})
    batches = len(encoder.batches)
    written = put_points(client, {"id": 1, "text": "poison"}, on_conflict="skip")
    assert (written["skipped"], len(encoder.batches)) == (1, batches)


def test_a_number_in_the_path_is_the_string_where_that_exists_else_the_integer(made: httpx.Client) -> None:
    put_points(made, {"id": 7, "text": "integer"})
    assert made.get("/collections/pets/points/7").json()["text"] == "integer"
    put_points(made, {"id": "7", "text": "string"})
    assert made.get("/collections/pets/points/7").json()["text"] == "string"


@pytest.mark.parametrize("point_id", ["a/b", "/a", "a/", "delete", "metadata", "metadata/delete", "a b/?#%2F"])
def test_a_point_is_read_by_any_id_it_can_have(made: httpx.Client, point_id: str) -> None:
    put_points(made, {"id": point_id, "text": "a dog"})
    answer = made.get(f"/collections/pets/points/{quote(point_id, safe='')}")
    assert (answer.status_code, answer.json()["id"]) == (200, point_id)
    assert post(made, "/points/delete", {"ids": [point_id]}) == {"deleted": 1}


@pytest.mark.parametrize("point_id", ["nobody", "9", str(2**63), "%00", "caf%C3%A9"])
def test_an_unknown_point_is_404(made: httpx.Client, point_id: str) -> None:
    answer = made.get(f"/collections/pets/points/{point_id}")
    assert answer.status_code == 404, answer.text
    assert answer.json()["error_type"] == "NotFound"


def test_an_id_that_is_too_long_is_refused(made: httpx.Client) -> None:
    assert made.get(f"/collections/pets/points/{'x' * 129}").status_code == 422


def test_several_points_are_read_in_the_order_of_the_ids(made: httpx.Client) -> None:
    three(made)
    assert post(made, "/points", {"ids": ["b", "unknown", 7, "7"]}) == {
        "points": [
            {"id": "b", "text": "snow", "metadata": {"kind": "weather"}},
            {"id": 7, "text": "a cat", "metadata": {"kind": "animal", "legs": 4}},
        ]
    }
    asked = {"ids": ["a"], "with_text": False, "with_metadata": False, "with_vector": True}
    (point,) = post(made, "/points", asked)["points"]
    assert (set(point), len(point["vector"])) == ({"id", "vector"}, 16)


def test_points_are_scrolled_in_the_order_of_writing(made: httpx.Client) -> None:
    put_points(made, *({"id": n, "text": f"t {n}", "metadata": {"even": n % 2 == 0}} for n in range(7)))
    put_points(made, {"id": 0, "text": "again", "metadata": {"even": True}})
    seen: list[Any] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = post(made, "/points/scroll", {"limit": 3, "cursor": cursor})
        seen += [point["id"] for point in page["points"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == ([1, 2, 3, 4, 5, 6, 0], 3)
    even = post(made, "/points/scroll", {"filter": {"must": [{"key": "even", "match": {"value": True}}]}})
    assert ([point["id"] for point in even["points"]], even["next_cursor"]) == ([2, 4, 6, 0], None)


def test_a_cursor_of_another_collection_or_of_nobody_is_refused(made: httpx.Client) -> None:
    made.put("/collections/other", json={})
    three(made)
    cursor = post(made, "/points/scroll", {"limit": 1})["next_cursor"]
    for path, given in (("other", cursor), ("pets", "canary-7f3a"), ("pets", ""), ("pets", cursor[:-1] + "!")):
        answer = made.post(f"/collections/{path}/points/scroll", json={"cursor": given})
        assert answer.status_code == 422, answer.text
        assert "canary" not in answer.text


def test_points_are_counted_and_deleted_by_a_filter(made: httpx.Client) -> None:
    three(made)
    assert post(made, "/count", {"filter": ANIMALS}) == {"count": 2}
    assert post(made, "/points/delete", {"filter": ANIMALS}) == {"deleted": 2}
    assert post(made, "/count", {"filter": None}) == {"count": 1}
    assert post(made, "/points/delete", {"filter": ANIMALS}) == {"deleted": 0}


def test_metadata_is_set_and_deleted_field_by_field(made: httpx.Client) -> None:
    three(made)
    assert post(made, "/points/metadata", {"ids": ["a", "unknown"], "metadata": {"legs": 3, "x": [1]}}) == {
        "updated": 1
    }
    assert made.get("/collections/pets/points/a").json()["metadata"] == {"kind": "animal", "legs": 3, "x": [1]}
    assert post(made, "/points/metadata", {"filter": ANIMALS, "metadata": {"tame": True}}) == {"updated": 2}
    assert post(made, "/count", {"filter": {"must": [{"key": "tame", "match": {"value": True}}]}}) == {"count": 2}
    assert post(made, "/points/metadata/delete", {"filter": ANIMALS, "keys": ["tame", "legs", "none"]}) == {
        "updated": 2
    }
    assert made.get("/collections/pets/points/7").json()["metadata"] == {"kind": "animal"}
    assert post(made, "/count", {"filter": {"must": [{"key": "tame", "match": {"value": True}}]}}) == {"count": 0}
    (hits,) = post(made, "/search", {"query": "a dog", "limit": 1})["results"]
    assert (hits[0]["id"], hits[0]["metadata"]) == ("a", {"kind": "animal", "x": [1]})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/points/delete", {"ids": []}, 400),
        ("/points/delete", {"ids": [True]}, 422),
        ("/points/delete", {"ids": [""]}, 422),
        ("/points/delete", {"ids": ["a"] * 257}, 422),
        ("/points/delete", {"ids": "a"}, 422),
        ("/points/delete", {}, 422),
        ("/points/delete", {"ids": ["a"], "filter": {}}, 422),
        ("/points/delete", {"filter": {"canary-7f3a": []}}, 422),
        ("/points/delete", {"filter": {"must": [{"key": "a", "matches": {"value": 1}}]}}, 422),
        ("/points", {"ids": []}, 400),
        ("/points", {"ids": ["a"] * 257}, 422),
        ("/points/scroll", {"limit": 0}, 422),
        ("/points/scroll", {"limit": 1281}, 422),
        ("/points/scroll", {"limit": "5"}, 422),
        ("/points/scroll", {"offset": 5}, 422),
        ("/count", {"filter": []}, 422),
        ("/count", {"filters": {}}, 422),
        ("/points/metadata", {"ids": ["a"], "metadata": {}}, 400),
        ("/points/metadata", {"ids": ["a"]}, 422),
        ("/points/metadata", {"metadata": {"k": 1}}, 422),
        ("/points/metadata", {"ids": ["a"], "metadata": {"k": "x" * 16_384}}, 422),
        ("/points/metadata/delete", {"ids": ["a"], "keys": []}, 400),
        ("/points/metadata/delete", {"ids": ["a"], "keys": [1]}, 422),
        ("/points/metadata/delete", {"ids": ["a"], "keys": "k"}, 422),
    ],
)
def test_a_selection_that_breaks_a_rule_is_refused_and_nothing_changes(
    made: httpx.Client, path: str, body: Any, status: int
) -> None:
    three(made)
    answer = made.post(f"/collections/pets{path}", json=body)
    assert answer.status_code == status, answer.text
    assert "canary" not in answer.text
    assert post(made, "/count", {}) == {"count": 3}
    assert made.get("/collections/pets/points/a").json()["metadata"] == {"kind": "animal", "legs": 4}


def test_a_full_store_refuses_writes_and_answers_searches(start: Start) -> None:
    client = start(max_points=2)
    client.put("/collections/pets", json={})
    put_points(client, {"id": 1, "text": "a"}, {"id": 2, "text": "b"})
    refused = client.put("/collections/pets/points", json={"points": [{"id": 2, "text": "c"}, {"id": 3, "text": "d"}]})
    assert (refused.status_code, refused.json()["error_type"]) == (507, "StorageFull")
    (hits,) = post(client, "/search", {"query": "b", "limit": 1})["results"]
    assert (hits[0]["id"], hits[0]["text"]) == (2, "b")
