"""Every error in the words of the dialect whose path was called."""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.api.dialects.errors import Dialect, dialect_of, error_content, error_status
from service.errors import (
    BodyTooLarge,
    EmptyInput,
    EncodeFailed,
    InvalidInput,
    NotFound,
    Overloaded,
    ServiceError,
    Unavailable,
)

Start = Callable[..., httpx.Client]

CANARY = "canary-7f3a"
JSON = {"content-type": "application/json"}
# Path, a body that it takes, and what its answer to bad input is.
ROUTES: list[tuple[str, Callable[[str], Any], int]] = [
    ("/embed", lambda text: {"inputs": text}, 422),
    ("/v1/embeddings", lambda text: {"input": text}, 400),
    ("/embeddings", lambda text: {"input": text}, 400),
    ("/v2/embed", lambda text: {"texts": [text]}, 422),
    ("/v1/embed", lambda text: {"texts": [text]}, 422),
    ("/api/embed", lambda text: {"input": text}, 422),
    ("/api/embeddings", lambda text: {"prompt": text}, 422),
    ("/vectors", lambda text: {"text": text}, 422),
    ("/vectors/", lambda text: {"texts": [text]}, 422),
    ("/qdrant/inference", lambda text: {"inputs": [{"data": text}]}, 400),
]
PATHS = [path for path, _, _ in ROUTES]
each_route = pytest.mark.parametrize(("path", "body", "bad_input"), ROUTES, ids=PATHS)


def told(answer: httpx.Response, path: str, status: int) -> str:
    """The message, wherever the dialect of this path has it."""
    assert answer.status_code == status, answer.text
    assert CANARY not in answer.text
    assert "x-request-id" in answer.headers
    body = answer.json()
    dialect = dialect_of(path)
    if dialect == "openai":
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return str(body["error"]["message"])
    if dialect == "cohere":
        assert set(body) == {"message"}
        return str(body["message"])
    assert set(body) == ({"error", "error_type"} if dialect == "native" else {"error"})
    return str(body["error"])


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/embeddings", "openai"),
        ("/v1/embeddings/", "openai"),
        ("/v1/chat/completions", "openai"),
        ("/embeddings", "openai"),
        ("/models", "openai"),
        ("/models/a/b", "openai"),
        ("/v1/embed", "cohere"),
        ("/v2/rerank", "cohere"),
        ("/api/tags", "ollama"),
        ("/vectors", "weaviate"),
        ("/vectors/", "weaviate"),
        ("/meta", "weaviate"),
        ("/.well-known/ready", "weaviate"),
        ("/qdrant/inference", "qdrant"),
        ("/", "native"),
        ("/embed", "native"),
        ("/v1", "native"),
        ("/modelsome", "native"),
        ("/collections/v1/points", "native"),
    ],
)
def test_a_path_belongs_to_one_dialect(path: str, dialect: Dialect) -> None:
    assert dialect_of(path) == dialect


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (EmptyInput("m"), 400, "invalid_request_error", "empty"),
        (InvalidInput("m"), 400, "invalid_request_error", "invalid_value"),
        (NotFound("m"), 404, "invalid_request_error", "not_found"),
        (BodyTooLarge("m"), 413, "invalid_request_error", "request_too_large"),
        (EncodeFailed("m"), 424, "server_error", "encode_failed"),
        (Overloaded("m", 3), 429, "rate_limit_error", "rate_limit_exceeded"),
        (ServiceError("m"), 500, "server_error", "internal_error"),
        (Unavailable("m"), 503, "server_error", "unavailable"),
    ],
)
def test_openai_has_a_type_and_a_code_for_each_error(error: ServiceError, status: int, kind: str, code: str) -> None:
    assert error_status(error, "/v1/embeddings") == status
    content = {"message": "m", "type": kind, "param": None, "code": code}
    assert error_content(error, "/v1/embeddings") == {"error": content}


def test_the_field_is_named_where_it_is_known(client: httpx.Client) -> None:
    for body, param in (
        ({"input": 5}, "input"),
        ({"input": "a", "dimensions": "5"}, "dimensions"),
        ({"input": "a", "dimensions": 99}, "dimensions"),
        ({"input": "a", "encoding_format": CANARY}, "encoding_format"),
        ({}, None),
    ):
        answer = client.post("/v1/embeddings", json=body)
        told(answer, "/v1/embeddings", 400)
        assert answer.json()["error"]["param"] == param


@each_route
def test_bad_input_of_every_kind(client: httpx.Client, path: str, body: Callable[[str], Any], bad_input: int) -> None:
    for content in (b"[]", b"null", b"{}", b'{"canary-7f3a"', b'{"x": NaN}', b'{"input": 5, "texts": 5, "text": 5}'):
        told(client.post(path, content=content, headers=JSON), path, bad_input)
    for empty in (b"", b" \n"):
        assert "empty" in told(client.post(path, content=empty, headers=JSON), path, 400)
    assert "JSON" in told(client.post(path, content=b"{}", headers={"content-type": "text/plain"}), path, 415)
    assert "position 0" in told(client.post(path, json=body("")), path, bad_input)
    assert client.post(path, json=body("fine")).status_code == 200


@each_route
def test_what_the_model_cannot_encode(
    client: httpx.Client, path: str, body: Callable[[str], Any], bad_input: int
) -> None:
    del bad_input
    assert "position 0" in told(client.post(path, json=body("poison")), path, 424)


def test_a_body_or_a_text_that_is_too_large(start: Start) -> None:
    client = start(max_body_bytes=1024, max_chars=10)
    for path, body, bad_input in ROUTES:
        assert "1024" in told(client.post(path, json=body("a" * 2000)), path, 413)
        assert "10" in told(client.post(path, json=body("a" * 11)), path, bad_input)


@pytest.mark.parametrize("path", [*PATHS, "/v1/models", "/models", "/api/tags", "/api/version", "/meta"])
def test_other_methods(client: httpx.Client, path: str) -> None:
    answer = client.delete(path)
    told(answer, path, 405)
    assert answer.headers["allow"] in ("GET", "POST")


@pytest.mark.parametrize(
    "path", ["/v1/completions", "/v2/rerank", "/api/generate", "/.well-known/x", "/qdrant/x", "/x"]
)
def test_routes_that_are_not_there(client: httpx.Client, path: str) -> None:
    assert "no such route" in told(client.post(path, json={"input": CANARY}), path, 404)


def test_overload_says_when_to_come_back_and_a_slow_answer_is_given_up(start: Start, encoder: Any) -> None:
    client = start(max_items=2, max_points_per_request=2, max_pending=2, request_timeout_s=1)
    encoder.seconds = 0.6
    busy = threading.Thread(target=client.post, args=("/embed",), kwargs={"json": {"inputs": ["a", "b"]}})
    busy.start()
    time.sleep(0.15)
    for path, body, _ in ROUTES:
        answer = client.post(path, json=body("one more"))
        told(answer, path, 429)
        assert int(answer.headers["retry-after"]) >= 1
    busy.join()
    encoder.seconds = 1.3
    assert "1 seconds" in told(client.post("/v1/embeddings", json={"input": "a"}), "/v1/embeddings", 504)


def test_what_nobody_expected(start: Start) -> None:
    client = start()
    object.__setattr__(client.app.state.services, "engine", None)  # type: ignore[attr-defined]
    for path, body, _ in ROUTES:
        assert "request id" in told(client.post(path, json=body(CANARY)), path, 500)
