import errno
import gc
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

from service.search.embedded.collections import Collections
from service.server import COLLECT_AFTER, calm_collector

REPOSITORY = Path(__file__).resolve().parents[2]

# The real `serve` in a process of its own, with the stub model; each batch takes 0.3 s, and the first one, which
# warms the model up, tells on stderr what a caller meets meanwhile.
SERVE = """
import functools, json, socket, sys, time
from service import server
from service.settings import Settings
from tests.service.conftest import StubCheckpoint, StubEncoder

class Encoder(StubEncoder):
    def encode(self, batch):
        if not self.batches:
            with socket.socket() as caller:
                print(json.dumps({"event": "warming", "connect": caller.connect_ex(address)}), file=sys.stderr)
        return super().encode(batch)

encoder = Encoder()
encoder.seconds = 0.3
given = {"port": 0, "data_dir": sys.argv[1], "threads": 1, "drain_s": 2, "max_batch_tokens": 4096}
settings = Settings(**{**given, **json.loads(sys.argv[2])})
address = (settings.host, settings.port)
server.create_app = functools.partial(server.create_app, checkpoint=StubCheckpoint(), runtime=encoder)
server.serve(settings, time.monotonic())
"""


@contextmanager
def serving(data_dir: Path, **settings: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and what its ready line says; the line before that is under `warming`."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data_dir), json.dumps(settings)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            warming = json.loads(process.stderr.readline())
            yield process, {**json.loads(process.stderr.readline()), "warming": warming}
        finally:
            process.kill()


def events(process: subprocess.Popen[str]) -> list[str]:
    assert process.stderr is not None
    return [json.loads(line)["event"] for line in process.stderr]


def post(port: int, path: str, body: dict[str, Any]) -> socket.socket:
    """Send a whole request, and leave its answer for later."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
    connection.sendall(f"{head}\r\n".encode() + content)
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


def test_until_it_can_answer_connections_are_refused_and_do_not_hang(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(tmp_path, port=port) as (_, ready):
        assert ready["warming"] == {"event": "warming", "connect": errno.ECONNREFUSED}
        assert httpx.get(f"{ready['url']}/startedz").status_code == 200


def test_what_the_drain_has_no_time_for_is_told_so(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=1, max_batch_tokens=1) as (process, ready):
        port = httpx.URL(ready["url"]).port
        assert port is not None
        with post(port, "/embed", {"inputs": [f"text {i}" for i in range(16)]}) as connection:  # 16 batches: 5 s
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            answer = b""
            while not answer.partition(b"\r\n\r\n")[2]:  # the body can come in a packet of its own
                answer += connection.recv(4096)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert json.loads(body)["error_type"] == "Unhealthy"
        assert events(process)[-1] == "stopped"
        assert process.wait(5) == 0


def test_the_collector_looks_at_what_is_new_and_only_at_much_of_it() -> None:
    usual = gc.get_threshold()
    try:
        calm_collector()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] == COLLECT_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
