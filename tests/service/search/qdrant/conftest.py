"""A Qdrant that says what a test wants: a real HTTP server with canned answers, which remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import pytest
from qdrant_client import QdrantClient

from service.search.qdrant.backend import QdrantBackend
from service.search.qdrant.connection import open_qdrant

FINGERPRINT = "a1b2c3d4e5f60718" * 4

FACTS = {
    "name": "cats",
    "identity": "0" * 32,
    "space": "sentence",
    "metric": "cosine",
    "dimension": 4,
    "fingerprint": FINGERPRINT,
    "index": "auto",
    "storage": "float32",
    "description": None,
    "created_at": "2026-01-01T00:00:00Z",
}

DESCRIBED = {
    "status": "green",
    "optimizer_status": "ok",
    "points_count": 3,
    "indexed_vectors_count": 0,
    "segments_count": 1,
    "payload_schema": {"metadata.known": {"data_type": "keyword", "points": 1}},
    "config": {
        "params": {"vectors": {"dense": {"size": 4, "distance": "Dot"}}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 9,
            "default_segment_number": 0,
            "flush_interval_sec": 5,
        },
        "metadata": {"mcse": FACTS, "mcse.snapshot.new": 7, "mcse.snapshot.old": 5},
    },
}


@dataclass
class FakeQdrant:
    """`answers` are results by "METHOD /path", or a status and a body; everything else is not found."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    key: str | None = None

    def bodies(self, start: str) -> list[Any]:
        """What came with the requests whose line starts so."""
        return [body for line, body in self.asked if line.startswith(start)]


def _handler(fake: FakeQdrant) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.asked.append((f"{self.command} {self.path}", json.loads(body) if body else None))
            fake.key = self.headers.get("api-key")
            line = f"{self.command} {self.path.split('?')[0]}"
            found = fake.answers.get(line, (404, {"status": {"error": "canary-of-qdrant"}}))
            status, answer, headers = (*found, {}, {})[:3] if isinstance(found, tuple) else (200, _ok(line, found), {})
            self.send_response(status)
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            for name, value in {
                "content-length": str(len(sent)),
                "content-type": "application/json",
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_PUT = do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    return Handler


def _ok(line: str, result: Any) -> Any:
    return result if line == "GET /" else {"time": 0.1, "status": "ok", "result": result}


@pytest.fixture
def fake() -> Iterator[FakeQdrant]:
    """One that is there, with the empty collection "cats"."""
    fake = FakeQdrant()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    done = {"operation_id": 1, "status": "completed"}
    fake.answers = {
        "GET /": {"title": "qdrant", "version": "1.20.0"},
        "GET /collections": {"collections": [{"name": "cats"}]},
        "GET /collections/cats": DESCRIBED,
        "GET /collections/new/exists": {"exists": False},
        "GET /aliases": {"aliases": []},
        "PUT /collections/new": True,
        "POST /collections/cats/points": [],
        "POST /collections/cats/points/count": {"count": 3},
        "PUT /collections/cats/points": done,
        "PUT /collections/cats/index": done,
        "POST /collections/cats/points/delete": done,
        "POST /collections/cats/points/payload": done,
        "POST /collections/cats/points/payload/delete": done,
        "POST /collections/cats/points/query/batch": [{"points": []}],
    }
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


Opened: TypeAlias = Callable[..., QdrantBackend]


@pytest.fixture
def opened(fake: FakeQdrant) -> Iterator[Opened]:
    """Backends on that server, which are closed at the end."""
    backends: list[QdrantBackend] = []

    def open_one(client: QdrantClient | None = None, **given: Any) -> QdrantBackend:
        common = {"fingerprint": FINGERPRINT, "dimensions": {"sentence": 4}, "max_points": 100}
        backends.append(QdrantBackend(client or open_qdrant(fake.url, timeout_s=2), **{**common, **given}))
        return backends[-1]

    yield open_one
    for backend in backends:
        backend.close()
