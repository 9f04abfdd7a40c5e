import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from service.commands.client import Client, collection_path
from service.commands.errors import CommandError, Refused, Unreachable
from tests.service.commands.proxy import Trouble, Wrong

Proxied = Callable[[str, Trouble], str]
To = Callable[..., Client]


@pytest.fixture
def to() -> Iterator[Callable[..., Client]]:
    """A client that is closed after the test."""
    with ExitStack() as opened:
        yield lambda *given, **named: opened.enter_context(closing(Client(*given, **named)))


@pytest.fixture
def raw() -> Iterator[Callable[[bytes], str]]:
    """A server that answers everything with these bytes."""
    threads = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(answer: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    def start(answer: bytes) -> str:
        threads.append(threading.Thread(target=serve, args=(answer,)))
        threads[0].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join()


def test_an_answer_and_a_refusal(to: To, url: str) -> None:
    ours = to(url + "/")
    assert ours.call("GET", "/collections") == {"collections": []}
    assert ours.call("PUT", collection_path("a.b"), {"metric": "dot"})["metric"] == "dot"
    with pytest.raises(Refused, match=r"The service answers 404: .+"):
        ours.call("GET", collection_path("nobody"))
    with pytest.raises(Refused, match="409"):
        ours.call("PUT", collection_path("a.b"), {})


def test_nobody_there_is_told_after_the_patience(to: To) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} does not answer .*refused"):
        to(f"http://127.0.0.1:{port}", patience=0.5).call("GET", "/info")
    assert time.monotonic() - started < 5


def test_a_busy_service_is_asked_again_until_patience_ends(to: To, url: str, proxied: Proxied) -> None:
    answers: Iterator[Wrong | None] = iter(["busy", "down", "cut", "lost", None])
    assert to(proxied(url, lambda *_: next(answers))).call("GET", "/collections") == {"collections": []}
    with pytest.raises(Unreachable, match=r"\(503: down\)"):
        to(proxied(url, lambda *_: "down"), patience=0.3).call("GET", "/collections")


def test_the_wait_is_at_least_what_the_service_asks_for(to: To, raw: Callable[[bytes], str]) -> None:
    url = raw(b"HTTP/1.1 429 Busy\r\ncontent-length: 0\r\nretry-after: 3600\r\n\r\n")
    started = time.monotonic()
    with pytest.raises(Unreachable, match="429"):
        to(url, patience=5).call("GET", "/info")
    assert time.monotonic() - started < 2, "it would have waited beyond its patience"


def test_another_server_is_told_from_ours(to: To, raw: Callable[[bytes], str]) -> None:
    url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>")
    with pytest.raises(CommandError, match="answers 200 without JSON"):
        to(url, patience=0).call("GET", "/info")


def test_what_is_no_http_is_told(to: To, raw: Callable[[bytes], str]) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        to(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), patience=0).call("GET", "/info")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://host:port", "http://h:99999"])
def test_a_wrong_address_is_told(url: str) -> None:
    with pytest.raises(CommandError, match="no address of a service"):
        Client(url)


def test_stopping_ends_the_waiting(to: To, url: str, proxied: Proxied) -> None:
    client = to(proxied(url, lambda *_: "down"))
    threading.Timer(0.1, client.stop).start()
    started = time.monotonic()
    with pytest.raises(Unreachable):
        client.call("GET", "/info")
    assert time.monotonic() - started < 10


def test_a_name_is_escaped_in_a_path() -> None:
    assert collection_path("a/b ?", "/points") == "/collections/a%2Fb%20%3F/points"
