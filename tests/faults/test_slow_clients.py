"""Clients that are slow or silent, many at one time: all are closed in time, and nobody else notices.

TEST_SLOW sets how many there are of each of four kinds.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from service.protocol import RECEIVE_WITHIN_S, SEND_WITHIN_S
from tests.faults.knobs import number, tell
from tests.faults.stub_server import stub_server

SLOW = number("TEST_SLOW", 20)
LONG = SLOW > 100
EVERY_S = 0.05
LIVE_WITHIN_S = 0.1
HALF = {
    "half headers": b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-",
    "silent": b"",
    "half bodies": b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
}
MUCH = json.dumps({"queries": ["a"] * 1000, "keys": ["a"] * 1000}).encode()
NEVER_READ = (
    b"POST /similarity HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(MUCH)
)


def connect(port: int, sent: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    connection.sendall(sent)
    return connection


def seconds_until_closed(connection: socket.socket, opened: float) -> float:
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - opened


class Normal:
    """What normal clients met: 20 requests a second, each over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.live_s: list[float] = []
        self.failures: list[str] = []
        self._port = port

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Meanwhile."""
        over = threading.Event()
        thread = threading.Thread(target=self._call_until, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _call_until(self, over: threading.Event) -> None:
        while not over.wait(EVERY_S):
            if len(self.live_s) % 2:
                self._call("POST", "/embed", b'{"inputs": "a dog"}')
            started = time.monotonic()
            self._call("GET", "/livez", None)
            self.live_s.append(time.monotonic() - started)

    def _call(self, method: str, path: str, body: bytes | None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            status = connection.getresponse().status
            if status != 200:
                self.failures.append(f"{path}: {status}")
        except OSError as error:
            self.failures.append(f"{path}: {type(error).__name__}")
        finally:
            connection.close()


def test_slow_clients_are_closed_in_time_and_others_do_not_notice(tmp_path: Path) -> None:
    settings = {"max_connections": 4 * SLOW + 64, "max_items": 2000, "max_pending": 65_536}
    with stub_server(tmp_path, **settings) as server, ExitStack() as opened:
        port = server.port()
        normal = Normal(port)
        with normal.calling():
            time.sleep(0.5)
            before = server.descriptors()
            unread = [opened.enter_context(connect(port, NEVER_READ + MUCH)) for _ in range(SLOW if LONG else 2)]
            started = time.monotonic()
            half = [opened.enter_context(connect(port, sent)) for sent in HALF.values() for _ in range(SLOW)]
            took = [seconds_until_closed(each, started) for each in half]
            if LONG:
                time.sleep(max(0.0, SEND_WITHIN_S + 3 - (time.monotonic() - started)))
        for each in unread:
            each.close()
        time.sleep(0.5)
        after = server.descriptors()
        p99 = float(np.percentile(normal.live_s, 99))
        tell(f"{SLOW} of each: closed within {max(took):.1f} s; /livez p99 {1000 * p99:.0f} ms of {len(normal.live_s)}")
        assert not normal.failures
        assert max(took) < RECEIVE_WITHIN_S + 1
        assert p99 <= LIVE_WITHIN_S
        assert after <= before + 2, "descriptors are given back"
