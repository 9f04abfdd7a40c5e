import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

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


def _send_headers_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x-header: " + b"y" * 1000 + b"\r\n")


def test_headers_without_end_are_refused(start: Start) -> None:
    client = start()
    with connect(client) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        with pytest.raises(OSError):  # noqa: PT011 - broken pipe or reset, as the system likes
            _send_headers_for_ever(connection)
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
