"""Bodies that nobody should send, to every route: no 5xx, no hang, no echo, and the next good request is answered.

TEST_HOSTILE sets how many requests there are in all; those after the fixed corpus are mutations drawn from TEST_SEED.
"""

import http.client
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.corpus import BODIES, CANARY, mutated
from tests.faults.knobs import SEED, number, tell
from tests.faults.stub_server import StubServer, stub_server

REQUESTS = number("TEST_HOSTILE", 1000)
CONNECTIONS = 4
WITHIN_S = 10.0
HEAVY = 50_000  # bytes; bodies above it cost time, and the short form sends them to fewer routes
FEWEST_DRAWN = 200
LONG = REQUESTS > 10_000
PLACES = {"{name}": "known", "{point_id}": "a", "{snapshot}": "none", "{model}": "stub"}

Case = tuple[str, str, bytes]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubServer]:
    with stub_server(tmp_path_factory.mktemp("hostile"), log_level="debug") as running:
        yield running


def routes(port: int) -> list[tuple[str, str]]:
    described = httpx.get(f"http://127.0.0.1:{port}/openapi.json").json()["paths"]
    return [(method.upper(), _filled(path)) for path, methods in described.items() for method in methods]


def _filled(path: str) -> str:
    for name, value in PLACES.items():
        path = path.replace(name, value)
    return path


def cases(known: list[tuple[str, str]]) -> list[Case]:
    """The corpus, then what is drawn; the short form sends each route half of the corpus, the next one the other."""
    fixed = [
        (method, path, body)
        for at, (method, path) in enumerate(known)
        for place, body in enumerate(BODIES.values())
        if LONG or (at + place) % (2 if len(body) < HEAVY else 20) == 0
    ]
    draw = random.Random(f"{SEED}/hostile")
    more = max(REQUESTS - len(fixed), FEWEST_DRAWN)
    return fixed + [(*draw.choice(known), mutated(draw)) for _ in range(more)]


def send_all(port: int, mine: list[Case]) -> tuple[Counter[int], list[str]]:
    """Over one connection; the statuses, and what was wrong."""
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    for method, path, body in mine:
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            wrong.append(f"{method} {path} {body[:200]!r}: {type(error).__name__}")
            connection.close()
            continue
        statuses[answer.status] += 1
        if fault := fault_of(answer.status, path, content):
            wrong.append(f"{method} {path} {body[:200]!r}: {answer.status} {fault} {content[:200]!r}")
    connection.close()
    return statuses, wrong


def fault_of(status: int, path: str, content: bytes) -> str:
    if status < 400:
        return ""
    if status >= 500:
        return "a failure"
    if CANARY in content or b"Traceback" in content or len(content) > 4096:
        return "an echo, or too long"
    return "" if is_of_dialect(path, json.loads(content)) else "another dialect's shape"


def is_of_dialect(path: str, told: dict[str, object]) -> bool:
    if path.startswith("/v2/") or path == "/v1/embed":
        return set(told) == {"message"}
    if path.startswith(("/v1/", "/models")) or path == "/embeddings":
        error = told.get("error")
        return isinstance(error, dict) and set(error) == {"message", "type", "param", "code"}
    if path.startswith(("/api/", "/.well-known/", "/qdrant/", "/vectors")) or path == "/meta":
        return set(told) == {"error"}
    return set(told) == {"error", "error_type"}


def test_no_body_on_any_route_gives_a_failure_a_hang_or_an_echo(server: StubServer) -> None:
    port = server.port()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.put("/collections/known", json={})
    known = [(method, path) for method, path in routes(port) if (method, path) != ("DELETE", "/collections/known")]
    drawn = cases(known)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        told = list(pool.map(lambda first: send_all(port, drawn[first::CONNECTIONS]), range(CONNECTIONS)))
    wrong = [line for _, lines in told for line in lines]
    statuses = sum((counted for counted, _ in told), Counter())
    tell(f"{len(drawn)} requests to {len(known)} routes, {len(BODIES)} bodies; {dict(sorted(statuses.items()))}")
    assert not wrong, f"{len(wrong)}: " + "\n".join(wrong[:20])
    assert sum(statuses.values()) == len(drawn)
    good = httpx.post(f"http://127.0.0.1:{port}/embed", json={"inputs": "fine"})
    assert good.status_code == 200
    assert CANARY not in Path(server.log).read_bytes()
