import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from service.search.collections import Collections

REPOSITORY = Path(__file__).resolve().parents[2]

# The real `serve` in a process of its own, with the stub model; each batch takes 0.3 s.
SERVE = """
import functools, sys, time
from service import server
from service.settings import Settings
from tests.service.conftest import StubCheckpoint, StubEncoder

encoder = StubEncoder()
encoder.seconds = 0.3
server.create_app = functools.partial(server.create_app, checkpoint=StubCheckpoint(), runtime=encoder)
server.serve(Settings(port=0, data_dir=sys.argv[1], threads=1, drain_s=2), time.monotonic())
"""


@contextmanager
def serving(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and what its ready line says."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data_dir)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            yield process, json.loads(process.stderr.readline())
        finally:
            process.kill()


def events(process: subprocess.Popen[str]) -> list[str]:
    assert process.stderr is not None
    return [json.loads(line)["event"] for line in process.stderr]


def post(port: int, path: str, body: dict[str, Any]) -> socket.socket:
    """Send a whole request, and leave its answer for later."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_sigterm_answers_what_was_accepted_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, ready):
        assert ready["event"] == "ready"
        assert ready["model"] == "stub"
        assert ready["fingerprint"] == "f" * 64
        port = httpx.URL(ready["url"]).port
        assert port is not None
        with ExitStack() as opened:
            bodies = [{"points": [{"id": i, "text": f"text {i}"}]} for i in range(8)]
            connections = [opened.enter_context(post(port, "/index", body)) for body in bodies]
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert all(each.recv(4096).startswith(b"HTTP/1.1 200") for each in connections)
        told = events(process)
        assert process.wait(5) == 0
        assert "draining" in told
        assert told[-1] == "stopped"
    store = Collections.open(tmp_path, fingerprint="f" * 64, dimensions={"sentence": 16}, max_points=100)
    try:
        assert store.get("default").count() == 8
    finally:
        store.close()
