import asyncio
import contextlib
import gc
import http.client
import json
import logging
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service import middleware, protocol

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


def exchanged(connection: socket.socket, sent: bytes, answers: int) -> list[tuple[bytes, bytes]]:
    """Send something, and read so many answers: head and body of each."""
    connection.sendall(sent)
    received = b""
    found: list[tuple[bytes, bytes]] = []
    while len(found) < answers:
        received += connection.recv(65_536)
        head, end, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]) if end else 0
        if end and len(rest) >= length:
            found.append((head, rest[:length]))
            received = rest[length:]
    return found


def asking(text: str, *, version: str = "1.1", header: str = "") -> bytes:
    body = json.dumps({"inputs": text})
    head = f"POST /embed HTTP/{version}\r\nhost: x\r\ncontent-type: application/json\r\n{header}"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


def names_of(head: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in head.split(b"\r\n")]


def test_an_answer_in_one_write_is_that_of_two(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(client) as connection:
        ((whole, body),) = exchanged(connection, asking("a dog"), 1)
        monkeypatch.setattr(middleware, "sender_of_whole", Mock(return_value=None))
        ((parted, same),) = exchanged(connection, asking("a dog"), 1)
    assert body == same
    assert names_of(whole) == names_of(parted)
    assert len(names_of(whole)) == len(set(names_of(whole)))


def test_requests_that_come_together_are_answered_in_turn(client: httpx.Client) -> None:
    texts = ["a", "b c", "d e f"]
    with connect(client) as connection:
        found = exchanged(connection, b"".join(map(asking, texts)), 3)
    tokens = [head.partition(b"x-compute-tokens: ")[2].split(b"\r\n", 1)[0] for head, _ in found]
    assert tokens == [b"3", b"4", b"5"]


@pytest.mark.parametrize("more", [{"version": "1.0"}, {"header": "connection: close\r\n"}])
def test_who_wants_no_more_is_answered_and_closed(client: httpx.Client, more: dict[str, str]) -> None:
    with connect(client) as connection:
        ((head, body),) = exchanged(connection, asking("a", **more), 1)
        assert is_closed(connection)
    assert len(json.loads(body)) == 1
    assert b"connection: close" in head


def test_a_request_leaves_nothing_for_the_collector(client: httpx.Client) -> None:
    def cycles() -> int:
        return sum(type(each) is RequestResponseCycle for each in gc.get_objects())

    with connect(client) as connection:
        exchanged(connection, asking("a"), 1)
        gc.collect()
        before = cycles()
        gc.disable()
        try:
            for _ in range(20):
                exchanged(connection, asking("a"), 1)
            assert cycles() < before + 5, "the last ones may not be over yet"
        finally:
            gc.enable()


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: Any) -> None:
        self.data += bytes(data)


LENGTH = (b"content-length", b"2")


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({}, [(b"x-a", b"1")]),
        ({}, [(b"content-length", b"3")]),
        ({}, [LENGTH, (b"x-a", b"1\r\nx-b: 2")]),
        ({}, [LENGTH, (b"x-a", b"1\nx-b: 2")]),
        ({}, [LENGTH, (b"x-a", b"1\rx-b: 2")]),
        ({}, [LENGTH, (b"connection", b"close")]),
        ({}, [(b"connection", b"close"), LENGTH]),
        ({"keep_alive": False}, [LENGTH]),
        ({"disconnected": True}, [LENGTH]),
        ({"response_started": True}, [LENGTH]),
        ({"scope": {"method": "HEAD"}}, [LENGTH]),
    ],
)
def test_an_answer_that_is_not_plain_is_left_to_uvicorn(
    change: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> None:
    transport, done = Written(), []
    cycle = cycle_of(transport, lambda: done.append(True))
    for name, value in change.items():
        setattr(cycle, name, value)
    send = protocol.sender_of_whole({protocol.CYCLE_KEY: cycle}, cycle.send)
    assert send is not None
    assert not send(200, headers, b"{}")
    assert (transport.data, done, cycle.response_complete) == (b"", [], False)


def test_a_plain_answer_is_sent_and_the_request_done() -> None:
    transport, done = Written(), []
    cycle = cycle_of(transport, lambda: done.append(True))
    send = protocol.sender_of_whole({protocol.CYCLE_KEY: cycle}, cycle.send)
    assert send is not None
    assert send(201, [LENGTH, (b"x-a", b"1")], b"{}")
    assert transport.data == b"HTTP/1.1 201 Created\r\ndate: now\r\ncontent-length: 2\r\nx-a: 1\r\n\r\n{}"
    assert (done, cycle.response_complete, cycle.message_event.is_set()) == ([True], True, True)


def test_who_wants_to_see_what_is_sent_gets_to_see_it() -> None:
    async def send(message: Any) -> None:
        """What a layer before the server puts in its place."""

    assert protocol.sender_of_whole({protocol.CYCLE_KEY: cycle_of(Written(), lambda: None)}, send) is None
    assert protocol.sender_of_whole({}, send) is None


def cycle_of(transport: asyncio.Transport, on_response: Callable[[], None]) -> RequestResponseCycle:
    logger = logging.getLogger("uvicorn.error")
    return RequestResponseCycle(
        scope={"method": "POST"},  # type: ignore[typeddict-item]
        transport=transport,
        flow=FlowControl(transport),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[(b"date", b"now")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=on_response,
    )
