"""Every bad request on every route that takes a body: a small 4xx in our shape, never an echo."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]

CANARY = "canary-7f3a"
JSON = {"content-type": "application/json"}

BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "string": b'"canary-7f3a"',
    "NaN": b'{"inputs": NaN}',
    "infinity": b'{"inputs": 1e999}',
    "long integer": b'{"inputs": ' + b"9" * 5000 + b"}",
    "surrogate in value": b'{"inputs": "canary-7f3a \\ud800"}',
    "surrogate in key": b'{"\\ud800": "canary-7f3a"}',
    "unknown field": b'{"canary-7f3a": "canary-7f3a"}',
    "number for text": b'{"inputs": 5, "query": 5, "texts": 5, "points": 5, "ids": 5, "queries": 5}',
    "true for text": b'{"inputs": true, "query": true, "texts": true}',
    "null for text": b'{"inputs": null, "query": null, "texts": null}',
    "number in texts": b'{"inputs": ["canary-7f3a", 5]}',
    "invalid UTF-8": b'{"inputs": "canary-7f3a \xff"}',
    "UTF-16": '{"inputs": "canary-7f3a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"inputs": "canary-7f3a"}',
    "deep open": b"[" * 50_000,
    "deep closed": b"[" * 50_000 + b"]" * 50_000,
    "deep in a field": b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}",
    "trailing garbage": b'{"inputs": "a"} canary-7f3a',
    "two documents": b'{"inputs": "a"}{"inputs": "canary-7f3a"}',
    "cut off": b'{"inputs": "canary-7f3a',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "half a million items": b'{"inputs": [' + b'"",' * 500_000 + b'""]}',
}
ROUTES = [
    ("POST", "/embed"),
    ("POST", "/similarity"),
    ("POST", "/index"),
    ("POST", "/search"),
    ("PUT", "/collections/known/points"),
    ("POST", "/collections/known/points"),
    ("POST", "/collections/known/points/delete"),
    ("POST", "/collections/known/points/scroll"),
    ("POST", "/collections/known/points/metadata"),
    ("POST", "/collections/known/points/metadata/delete"),
    ("POST", "/collections/known/search"),
    ("POST", "/collections/known/search/batch"),
    ("POST", "/collections/known/duplicates"),
    ("POST", "/collections/known/count"),
    ("PUT", "/aliases/known"),
]
ALL_OPTIONAL = {  # what is a good body there
    "/collections/known/points/scroll": {"object"},
    "/collections/known/duplicates": {"object"},
    "/collections/known/count": {"object", "empty", "null"},
}


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert {"error", "error_type"} == set(answer.json()), answer.text
    assert len(answer.content) < 4096
    assert CANARY not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[path for _, path in ROUTES])
def test_every_bad_body_is_refused_on_every_route(client: httpx.Client, method: str, path: str) -> None:
    client.put("/collections/known", json={})
    for name, body in BODIES.items():
        answer = client.request(method, path, content=body, headers=JSON)
        if name in ALL_OPTIONAL.get(path, ()):
            assert answer.status_code == 200, name
            continue
        assert_refused(answer, 400, 422)
        assert (answer.status_code == 400) == (name in ("empty", "blank")), name
    assert client.post("/embed", json={"inputs": "fine"}).status_code == 200


@pytest.mark.parametrize("kind", ["jsonl", "csv", "text"])
def test_every_bad_file_is_told_line_by_line_or_refused(client: httpx.Client, kind: str) -> None:
    client.put("/collections/known", json={})
    for name, body in BODIES.items():
        path = f"/collections/known/import?format={kind}"
        answer = client.post(path, content=body, headers={"content-type": "application/octet-stream"})
        assert answer.status_code in (200, 422), (name, answer.text)
        assert CANARY not in answer.text, name
        assert len(answer.content) < 4096, name
        told = answer.json()
        if kind == "jsonl":
            assert (answer.status_code, told["written"]) == (200, 0), name
    assert client.post("/embed", json={"inputs": "fine"}).status_code == 200


FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("/embed", {"inputs": "a", "normalize": "true"}, "`normalize` must be true or false, not a string"),
    ("/embed", {"inputs": "a", "normalize": 1}, "`normalize` must be true or false, not an integer"),
    ("/embed", {"inputs": "a", "dimensions": "5"}, "`dimensions` must be an integer, not a string"),
    ("/embed", {"inputs": "a", "dimensions": True}, "`dimensions` must be an integer, not true or false"),
    ("/embed", {"inputs": "a", "dimensions": 5.5}, "`dimensions` must be an integer, not a number"),
    ("/embed", {"inputs": ["a", None]}, "`inputs.1` must be a string, not null"),
    ("/embed", {"inputs": {CANARY: 1}}, "`inputs`: must be a string or a list of strings"),
    ("/embed", {"inputs": "a", "space": CANARY}, "`space`"),
    ("/embed", {"normalize": True}, "`inputs` is required"),
    ("/embed", {"inputs": "a", CANARY: 1}, "unknown field; the known ones are inputs, normalize"),
    ("/search", {"query": "a", "limit": "5"}, "`limit` must be an integer, not a string"),
    ("/search", {"query": "a", "score_threshold": "x"}, "`score_threshold` must be a number, not a string"),
    ("/index", {"points": [{"text": "a", CANARY: 1}]}, "`points.0`: unknown field"),
    ("/index", {"points": [{"vector": [1.0, CANARY]}]}, "`points.0.vector.1` must be a number, not a string"),
    ("/index", {"points": [{"text": 1}] * 200}, "and 197 more"),
]


@pytest.mark.parametrize(("path", "body", "told"), FIELDS, ids=[told for _, _, told in FIELDS])
def test_a_wrong_field_is_named_with_what_is_expected(
    client: httpx.Client, path: str, body: dict[str, Any], told: str
) -> None:
    answer = client.post(path, json=body)
    assert_refused(answer, 422)
    assert told in answer.json()["error"]


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_content_is_refused(client: httpx.Client, text: str) -> None:
    answer = client.post("/embed", json={"inputs": ["a", text]})
    assert_refused(answer, 422)
    assert "position 1" in answer.json()["error"]


def test_a_syntax_error_is_told_by_its_place(client: httpx.Client) -> None:
    answer = client.post("/embed", content=b'{"inputs":\n canary-7f3a}', headers=JSON)
    assert_refused(answer, 422)
    assert "line 2, column 2" in answer.json()["error"]


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_web_page_may_send_to_this_machine_unasked_is_refused(
    client: httpx.Client, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = client.post("/embed", content=b'{"inputs": "a"}', headers=headers)
    assert_refused(answer, 415)
    assert answer.json()["error_type"] == "MediaType"


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"])
def test_json_is_taken_by_every_name(client: httpx.Client, content_type: str) -> None:
    headers = {"content-type": content_type}
    assert client.post("/embed", content=b'{"inputs": "a"}', headers=headers).status_code == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413)], ids=["at the limit", "over it"])
def test_the_limit_of_the_body_holds_exactly(start: Start, chunked: bool, size: int, status: int) -> None:
    client = start(max_body_bytes=1024)
    body = b'{"inputs": "a"' + b" " * (size - 15) + b"}"
    content = iter([body[:500], body[500:]]) if chunked else body
    answer = client.post("/embed", content=content, headers=JSON)
    assert answer.status_code == status
    if status == 413:
        assert_refused(answer, 413)
        assert answer.json()["error_type"] == "BodyTooLarge"


def test_unknown_routes_and_methods_have_our_shape(client: httpx.Client) -> None:
    for path in ("/canary-7f3a", "/embed/", "/%00", "/embed%00", "/a/../embed%2f"):
        assert_refused(client.get(path), 404)
    wrong = client.get("/embed")
    assert_refused(wrong, 405)
    assert wrong.headers["allow"] == "POST"
    assert_refused(client.delete("/search"), 405)
