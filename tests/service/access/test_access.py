"""Every route with every kind of key, against a real server."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from service.access.rules import RULES, allows
from service.api.dialects.errors import dialect_of
from service.protocol import MAX_HEAD_BYTES
from service.settings import Settings
from tests.service.access.conftest import ADMIN, KEY_OF, KEYS, READ, WRITE, bearer
from tests.service.access.test_rules import filled
from tests.service.conftest import StubCheckpoint, StubEncoder, served

Start = Callable[..., httpx.Client]
Refused = dict[str, Any]

WRONG = "wrong-key-0123456789"
ROUTES = sorted(RULES)
ASKING = [route for route in ROUTES if RULES[route].needed != "open"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that asks for keys, and has no collections."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("guarded"), threads=1, max_batch_tokens=4096, api_keys=KEYS)
    with served(settings, StubCheckpoint(), StubEncoder()) as client:
        yield client


def assert_refused(answer: httpx.Response, status: int) -> None:
    """In the dialect of the path, small, with what HTTP asks."""
    assert answer.status_code == status, answer.text
    assert len(answer.content) < 300
    assert "x-request-id" in answer.headers
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    body = answer.json()
    dialect = dialect_of(answer.url.path)
    if dialect == "native":
        assert body["error_type"] == {401: "Unauthorized", 403: "Forbidden", 429: "Overloaded"}[status]
    elif dialect == "openai":
        expected = {
            401: ("authentication_error", "invalid_api_key"),
            403: ("permission_error", "permission_denied"),
            429: ("rate_limit_error", "rate_limit_exceeded"),
        }[status]
        assert (body["error"]["type"], body["error"]["code"]) == expected
    else:
        assert set(body) == {"message" if dialect == "cohere" else "error"}


@pytest.mark.parametrize(("method", "template"), ASKING)
def test_a_route_asks_for_a_key_of_its_role(guarded: httpx.Client, method: str, template: str) -> None:
    path, needed = filled(template), RULES[method, template].needed
    two = {**bearer(ADMIN), "x-api-key": READ}
    for headers in ({}, bearer(WRONG), bearer(ADMIN[:-1]), two, {"x-api-key": "k" * (MAX_HEAD_BYTES // 2)}):
        assert_refused(guarded.request(method, path, headers=headers, content=b"{"), 401)
    for role, key in KEY_OF.items():
        if allows(role, needed):
            status = guarded.request(method, path, headers=bearer(key)).status_code
            assert status not in (401, 403)
            assert status < 500
        else:
            assert_refused(guarded.request(method, path, headers=bearer(key), content=b"{"), 403)


@pytest.mark.parametrize(("method", "template"), [route for route in ROUTES if RULES[route].needed == "open"])
def test_what_tells_how_the_service_does_asks_for_none(guarded: httpx.Client, method: str, template: str) -> None:
    for headers in ({}, bearer(WRONG), {**bearer(ADMIN), "x-api-key": READ}):
        assert guarded.request(method, filled(template), headers=headers).status_code in (200, 204, 404)


@pytest.mark.parametrize("path", ["/nothing", "/collections/a/b/c/d", "/v1/nothing", "/embed/", "/%00"])
def test_only_who_has_a_key_learns_which_routes_there_are(guarded: httpx.Client, path: str) -> None:
    assert_refused(guarded.get(path), 401)
    assert guarded.get(path, headers=bearer(READ)).status_code == 404
    assert_refused(guarded.delete("/embed"), 401)
    assert guarded.delete("/embed", headers=bearer(READ)).status_code == 405


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_a_key_is_taken_in_every_header(guarded: httpx.Client, name: str) -> None:
    assert guarded.post("/embed", json={"inputs": "a"}, headers={name: READ}).status_code == 200


def test_an_odd_path_is_no_way_around_a_role(guarded: httpx.Client) -> None:
    for path in ("/index%0A", "/collections/pets%0A"):
        answer = guarded.request("PUT" if "pets" in path else "POST", path, headers=bearer(READ), json={})
        assert_refused(answer, 403)


def test_a_key_of_a_megabyte_is_refused_before_it_is_looked_at(guarded: httpx.Client) -> None:
    answer = guarded.post("/embed", json={"inputs": "a"}, headers=bearer("k" * 1_000_000))
    assert answer.status_code == 400
    assert guarded.get("/livez").status_code == 200


def test_nothing_of_the_body_is_waited_for(guarded: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"inputs": '
        time.sleep(1)
        yield b'"a"}'

    began = time.monotonic()
    connection = httpx.Client(base_url=guarded.base_url, timeout=5)
    with connection, connection.stream("POST", "/embed", content=endless()) as answer:
        assert answer.status_code == 401
    assert time.monotonic() - began < 5


def test_without_keys_everybody_may_do_everything_whatever_he_sends(client: httpx.Client) -> None:
    for headers in ({}, bearer(WRONG), {**bearer(ADMIN), "x-api-key": READ}):
        assert client.put("/collections/pets", json={}, headers=headers).status_code == 201
        assert client.delete("/collections/pets", headers=headers).status_code == 200


def test_each_role_does_its_work(start: Start) -> None:
    client = start(api_keys=KEYS)
    assert client.put("/collections/pets", json={}, headers=bearer(WRITE)).status_code == 201
    points = {"points": [{"id": 1, "text": "a dog"}]}
    assert client.put("/collections/pets/points", json=points, headers=bearer(WRITE)).status_code == 200
    found = client.post("/collections/pets/search", json={"query": "a dog"}, headers=bearer(READ))
    assert found.json()["results"][0][0]["id"] == 1
    assert client.post("/collections/pets/snapshots", headers=bearer(ADMIN)).status_code == 201
    assert client.delete("/collections/pets", headers=bearer(ADMIN)).status_code == 200


def test_a_key_that_is_taken_out_of_the_file_is_refused_from_then_on(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.access.watched.LOOK_EVERY_S", 0)
    path = tmp_path / "keys"
    path.write_text(f"read:app:{READ}\n")
    path.chmod(0o600)
    client = start(api_keys_file=path)
    assert client.get("/info", headers=bearer(READ)).status_code == 200
    path.write_text(f"read:app:{READ}x\n")
    assert_refused(client.get("/info", headers=bearer(READ)), 401)
    assert client.get("/info", headers=bearer(f"{READ}x")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/embed", "/v1/embeddings", "/v2/embed", "/api/embed", "/vectors", "/qdrant/inference"]
)
def test_who_asks_too_often_is_told_in_his_dialect(start: Start, path: str) -> None:
    client = start(api_keys=KEYS, rate_limit=3)
    for left in (2, 1, 0):
        answer = client.post(path, json={}, headers=bearer(READ))
        assert answer.status_code in (400, 422)
        assert answer.headers["ratelimit-remaining"] == str(left)
    refused = client.post(path, json={}, headers=bearer(READ))
    assert_refused(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.headers["ratelimit-limit"] == "3"
    assert client.post(path, json={}, headers=bearer(WRITE)).headers["ratelimit-remaining"] == "2"
    assert "ratelimit-limit" not in client.get("/readyz", headers=bearer(READ)).headers
    assert "ratelimit-limit" not in client.post(path, json={}, headers=bearer(WRONG)).headers
    assert 'mcse_refused_total{reason="rate_limited"} 1.0' in client.get("/metrics", headers=bearer(ADMIN)).text


def test_a_refusal_for_the_role_counts_too(start: Start) -> None:
    client = start(api_keys=KEYS, rate_limit=1)
    answer = client.delete("/collections/pets", headers=bearer(READ))
    assert_refused(answer, 403)
    assert answer.headers["ratelimit-remaining"] == "0"
    assert_refused(client.delete("/collections/pets", headers=bearer(READ)), 429)


def test_requests_at_a_time_are_bounded_by_key(start: Start, encoder: StubEncoder) -> None:
    client = start(api_keys=KEYS, concurrency_limit=1)
    encoder.seconds = 0.5
    slow = threading.Thread(target=lambda: client.post("/embed", json={"inputs": "a"}, headers=bearer(READ)))
    slow.start()
    time.sleep(0.15)
    refused = client.get("/info", headers=bearer(READ))
    assert_refused(refused, 429)
    assert refused.headers["retry-after"] == "1"
    assert client.get("/info", headers=bearer(WRITE)).status_code == 200
    slow.join()
    assert client.get("/info", headers=bearer(READ)).status_code == 200


def test_a_caller_who_leaves_makes_room(start: Start, encoder: StubEncoder) -> None:
    client = start(api_keys=KEYS, concurrency_limit=1)
    encoder.seconds = 0.4
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/embed", json={"inputs": "a"}, headers=bearer(READ), timeout=0.05)
        time.sleep(0.1)
    assert client.get("/info", headers=bearer(READ)).status_code == 200


def test_without_keys_an_address_has_the_limit(start: Start) -> None:
    client = start(rate_limit=2)
    for headers in ({}, {"x-forwarded-for": "198.51.100.1"}):  # which is not believed
        assert client.get("/info", headers=headers).status_code == 200
    assert_refused(client.get("/info", headers={"x-forwarded-for": "198.51.100.2"}), 429)


def test_behind_a_trusted_proxy_each_client_has_its_own_limit(start: Start) -> None:
    client = start(rate_limit=1, trusted_proxies="127.0.0.1")
    for n in range(3):
        assert client.get("/info", headers={"x-forwarded-for": f"10.0.0.1, 198.51.100.{n}"}).status_code == 200
    assert_refused(client.get("/info", headers={"x-forwarded-for": "10.9.9.9, 198.51.100.1"}), 429)


def test_no_key_is_ever_logged_or_measured(start: Start) -> None:
    with capture_logs() as lines:
        client = start(api_keys=KEYS, log_level="debug")
        for key in (READ, ADMIN, WRONG):
            for method, template in ASKING:
                client.request(method, filled(template), headers=bearer(key), content=b"{")
            client.get(f"/info?api_key={key}", headers={"x-api-key": key, "x-request-id": key})
        metrics = client.get("/metrics", headers=bearer(READ)).text
    told = json.dumps(lines, default=str)
    assert "keys" in {line["event"] for line in lines}
    assert [line["event"] for line in lines].count("request") > len(ASKING)
    without_ids = json.dumps([{**line, "request_id": ""} for line in lines], default=str)  # those the caller chose
    for key in (READ, ADMIN, WRITE, WRONG):
        assert key not in without_ids
        assert key not in metrics
    assert told
    assert 'mcse_refused_total{reason="unauthorized"}' in metrics
    assert 'mcse_refused_total{reason="forbidden"}' in metrics


def test_the_description_says_which_operations_ask_for_a_key(start: Start, client: httpx.Client) -> None:
    described = start(api_keys=KEYS).get("/openapi.json").json()
    assert set(described["components"]["securitySchemes"]) == {"bearer", "x-api-key"}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert ("security" in operation) == (RULES[method.upper(), path].needed != "open"), path
    assert "securitySchemes" not in client.get("/openapi.json").json().get("components", {})
