import json
from collections.abc import Callable
from typing import Any

import httpx
import structlog
from structlog.testing import capture_logs

from tests.service.access.conftest import ADMIN, KEYS, READ, WRITE, bearer

Start = Callable[..., httpx.Client]

CANARY = "canary-7f3a"
Call = tuple[str, str, dict[str, Any]]


def trail(client: httpx.Client, calls: list[Call], key: str | None = None) -> list[dict[str, Any]]:
    """The lines of the audit that these calls leave."""
    headers = bearer(key) if key else {}
    with capture_logs() as lines:
        for method, path, given in calls:
            client.request(method, path, **{"headers": headers, **given})
    return [dict(line) for line in lines if line["event"] == "audit"]


def test_every_change_leaves_one_line_with_who_what_and_how_many(start: Start) -> None:
    client = start(api_keys=KEYS)
    points = [{"id": f"{CANARY}-{n}", "text": CANARY, "metadata": {"k": CANARY}} for n in range(3)]
    lines = trail(
        client,
        [
            ("PUT", "/collections/pets", {"json": {}}),
            ("PUT", "/collections/pets/points", {"json": {"points": points}}),
            ("PUT", "/collections/pets/points", {"json": {"points": points[:1]}}),
            ("POST", "/collections/pets/points/metadata", {"json": {"ids": [f"{CANARY}-1"], "metadata": {"k": 1}}}),
            ("POST", "/collections/pets/points/metadata/delete", {"json": {"ids": [f"{CANARY}-2"], "keys": ["k"]}}),
            ("POST", "/collections/pets/points/delete", {"json": {"ids": [f"{CANARY}-0", f"{CANARY}-9"]}}),
            ("PUT", "/aliases/now", {"json": {"collection": "pets"}}),
            ("DELETE", "/aliases/now", {}),
            ("POST", "/index", {"json": {"texts": [CANARY, "b"]}}),
            ("POST", "/collections/pets/snapshots", {}),
            ("DELETE", "/collections/pets", {}),
        ],
        ADMIN,
    )
    assert [(line["method"], line["route"], line["name"], line["points"], line["status"]) for line in lines] == [
        ("PUT", "/collections/{name}", "pets", None, 201),
        ("PUT", "/collections/{name}/points", "pets", 3, 200),
        ("PUT", "/collections/{name}/points", "pets", 1, 200),
        ("POST", "/collections/{name}/points/metadata", "pets", 1, 200),
        ("POST", "/collections/{name}/points/metadata/delete", "pets", 1, 200),
        ("POST", "/collections/{name}/points/delete", "pets", 1, 200),
        ("PUT", "/aliases/{name}", "now", None, 200),
        ("DELETE", "/aliases/{name}", "now", None, 200),
        ("POST", "/index", None, 2, 200),
        ("POST", "/collections/{name}/snapshots", "pets", None, 201),
        ("DELETE", "/collections/{name}", "pets", 2, 200),
    ]
    assert {(line["who"], line["role"]) for line in lines} == {("boss", "admin")}
    assert len({line["request_id"] for line in lines}) == len(lines)
    assert CANARY not in json.dumps(lines)
    assert ADMIN not in json.dumps(lines)


def test_an_import_tells_how_many_points_it_wrote(start: Start) -> None:
    client = start(api_keys=KEYS, max_points_per_request=2)
    client.put("/collections/pets", json={}, headers=bearer(WRITE))
    content = b"".join(b'{"text": "text %d"}\n' % n for n in range(5))
    call: Call = (
        "POST",
        "/collections/pets/import?format=jsonl",
        {"content": content, "headers": {**bearer(WRITE), "content-type": "application/x-ndjson"}},
    )
    (line,) = trail(client, [call])
    assert (line["who"], line["points"], line["status"]) == ("writer", 5, 200)


def test_a_refused_change_is_told_and_an_unknown_caller_is_not(start: Start) -> None:
    client = start(api_keys=KEYS, rate_limit=2)
    drop: Call = ("DELETE", "/collections/pets", {})
    lines = trail(client, [drop, drop, drop], READ)
    assert [(line["who"], line["status"], line["points"]) for line in lines] == [
        ("reader", 403, None),
        ("reader", 403, None),
        ("reader", 429, None),
    ]
    assert {line["name"] for line in lines} == {"pets"}
    assert trail(client, [drop]) == []
    assert trail(client, [("DELETE", "/collections/nothing", {})], ADMIN)[0]["status"] == 404


def test_reading_leaves_no_line(start: Start) -> None:
    client = start(api_keys=KEYS)
    reading: list[Call] = [
        ("POST", "/embed", {"json": {"inputs": "a"}}),
        ("GET", "/collections", {}),
        ("POST", "/search", {"json": {"query": "a"}}),
    ]
    assert trail(client, reading, ADMIN) == []


def test_without_keys_the_address_is_told(start: Start) -> None:
    client = start(trusted_proxies="127.0.0.0/8")
    make: Call = ("PUT", "/collections/pets", {"json": {}})
    far: Call = ("DELETE", "/collections/pets", {"headers": {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}})
    lines = trail(client, [make, far])
    assert [(line["who"], line["role"]) for line in lines] == [("127.0.0.1", None), ("198.51.100.1", None)]


def test_a_name_that_breaks_the_rule_is_left_out(start: Start) -> None:
    (line,) = trail(start(), [("PUT", f"/collections/-{CANARY} %2e", {"json": {}})])
    assert (line["name"], line["status"]) == (None, 422)
    assert CANARY not in json.dumps(line)


def test_the_trail_is_written_at_every_level(start: Start) -> None:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        client = start()
        with capture_logs() as lines:
            client.put("/collections/pets", json={})
    finally:
        structlog.configure(**before)
    assert [line["event"] for line in lines] == ["audit"]
