import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from service import protocol

Start = Callable[..., httpx.Client]


def connect(client: httpx.Client) -> socket.socket:
    assert client.base_url.port is not None
    return socket.create_connection(("127.0.0.1", client.base_url.port), timeout=5)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /embed HT", b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123"],
    ids=["silent", "half a head", "half a body"],
)
def test_a_client_that_does_not_finish_its_request_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.3)
    client = start()
    with connect(client) as slow:
        slow.sendall(sent)
        started = time.monotonic()
        assert is_closed(slow)
        assert 0.2 < time.monotonic() - started < 2
    assert client.get("/livez").status_code == 200


def test_a_line_feed_after_an_answer_does_not_keep_the_connection(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.5)
    with connect(start()) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        for _ in range(3):
            connection.sendall(b"\r\n")
            time.sleep(0.1)
        assert is_closed(connection)
        assert 0.4 < time.monotonic() - started < 2, "it is the first of them that counts"


def ask_much(client: httpx.Client, *, last: bool) -> socket.socket:
    """Ask for an answer that no buffer of the system can hold, over a connection that hardly has one."""
    body = json.dumps({"queries": ["a"] * 1000, "keys": ["a"] * 1000})
    head = f"POST /similarity HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(5)
    connection.connect(("127.0.0.1", client.base_url.port))
    connection.sendall(f"{head}connection: {'close' if last else 'keep-alive'}\r\n\r\n{body}".encode())
    return connection


def is_whole(connection: socket.socket) -> bool:
    """Read an answer; whether all of its body comes."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert (answer.status, int(answer.headers["content-length"]) > 3_000_000) == (200, True)
    try:
        answer.read()
    except (http.client.IncompleteRead, ConnectionResetError):
        return False
    return True


@pytest.mark.parametrize("last", [False, True], ids=["kept alive", "last answer"])
@pytest.mark.parametrize(("within_s", "whole"), [(0.3, False), (10, True)], ids=["too late", "in time"])
def test_an_answer_that_is_not_read_in_time_is_thrown_away(
    start: Start, monkeypatch: pytest.MonkeyPatch, within_s: float, whole: bool, last: bool
) -> None:
    monkeypatch.setattr(protocol, "SEND_WITHIN_S", within_s)
    client = start(max_items=2000, max_pending=2000, max_batch_tokens=65_536)
    with ask_much(client, last=last) as reader:
        assert reader.recv(1, socket.MSG_PEEK), "the answer has begun"
        time.sleep(1)
        assert is_whole(reader) == whole
    assert client.get("/livez").status_code == 200


def test_keep_alive_outlives_the_time_to_receive(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.2)
    client = start()
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    with connect(client) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)
        connection.sendall(request[:10])
        assert is_closed(connection)


def test_slow_work_is_not_slow_receiving(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.1)
    assert start().post("/embed", json={"inputs": "slow"}).status_code == 200


@pytest.mark.parametrize(
    ("end", "status"), [(b"\r\n\r\n", b"200"), (b"y" * 5, b"400")], ids=["at the limit", "over it"]
)
def test_the_limit_of_the_headers_holds_exactly(client: httpx.Client, end: bytes, status: bytes) -> None:
    begin = b"GET /livez HTTP/1.1\r\nhost: x\r\nx-header: "
    with connect(client) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")  # the next request has the same limit
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(begin + b"y" * (protocol.MAX_HEAD_BYTES - len(begin) - 4))
        time.sleep(0.2)  # all of it is received, so that the answer is not lost in a reset
        connection.sendall(end)
        assert connection.recv(4096).startswith(b"HTTP/1.1 " + status)
    assert client.get("/livez").status_code == 200


def test_headers_without_end_are_refused_long_before_the_time_is_up(start: Start) -> None:
    client = start()
    started, sent = time.monotonic(), 0
    with connect(client) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        with contextlib.suppress(OSError):  # broken pipe or reset, as the system likes
            while time.monotonic() - started < protocol.RECEIVE_WITHIN_S / 2:
                sent += connection.send(b"x-header: " + b"y" * 1000 + b"\r\n")
    assert time.monotonic() - started < protocol.RECEIVE_WITHIN_S / 2, f"{sent} bytes were taken"
    assert client.get("/livez").status_code == 200


def test_connections_over_the_limit_are_closed_at_once(start: Start) -> None:
    client = start(max_connections=3)
    with ExitStack() as opened:
        first = [opened.enter_context(connect(client)) for _ in range(3)]
        time.sleep(0.1)
        assert is_closed(opened.enter_context(connect(client)))
        first[0].close()
        time.sleep(0.1)
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
)
def test_garbage_is_a_400(start: Start, client: httpx.Client, garbage: bytes) -> None:
    with connect(client) as connection:
        connection.sendall(garbage)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert client.get("/livez").status_code == 200


IMPORT = b"POST /collections/pets/import?format=jsonl HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
LINE = b'{"text": "a dog"}\n'


def send_slowly(connection: socket.socket, *, seconds: float, bytes_at_a_time: int) -> None:
    """A chunked import whose lines come over this time."""
    connection.sendall(IMPORT + b"transfer-encoding: chunked\r\n\r\n")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        lines = LINE * -(-bytes_at_a_time // len(LINE))
        connection.sendall(b"%x\r\n%s\r\n" % (len(lines), lines))
        time.sleep(0.05)
    connection.sendall(b"0\r\n\r\n")


def test_a_body_of_any_size_may_come_for_as_long_as_it_comes(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.3)
    monkeypatch.setattr(protocol, "LEAST_BYTES", 50)
    client = start(request_timeout_s=0.5)
    client.put("/collections/pets", json={})
    with connect(client) as connection:
        send_slowly(connection, seconds=1.5, bytes_at_a_time=20)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_body_that_hardly_comes_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.3)
    client = start()
    client.put("/collections/pets", json={})
    started = time.monotonic()
    with connect(client) as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        send_slowly(connection, seconds=3, bytes_at_a_time=1)
        assert is_closed(connection)
    assert time.monotonic() - started < 2
    assert client.get("/livez").status_code == 200


def test_a_body_that_the_service_is_not_ready_for_may_wait(
    start: Start, monkeypatch: pytest.MonkeyPatch, encoder: Any
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.1)
    client = start(max_points_per_request=100)
    client.put("/collections/pets", json={})
    encoder.seconds = 0.5
    body = b'{"text": "a dog", "metadata": {"k": "%s"}}\n' % (b"x" * 4000) * 300
    with connect(client) as connection:
        connection.sendall(IMPORT + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_patience_ends_with_the_request(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.3)
    monkeypatch.setattr(protocol, "LEAST_BYTES", 1)
    client = start()
    client.put("/collections/pets", json={})
    with connect(client) as connection:
        connection.sendall(IMPORT + b"content-length: %d\r\n\r\n" % len(LINE) + LINE)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        connection.sendall(b"GET /livez HTT")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(20):
                connection.sendall(b"P")
                time.sleep(0.05)
            assert is_closed(connection)
        assert time.monotonic() - started < 2
