"""The service behind TLS: that it answers, and that the limits of a connection hold."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service import protocol, server
from service.access import handshakes, watched
from service.app import create_app
from service.cli import app as service_app
from service.errors import SettingsError
from service.settings import Settings
from tests.service.access.conftest import KEYS, READ, Encrypted, Pair, bearer
from tests.service.conftest import StubCheckpoint, StubEncoder

Secured = Callable[..., Encrypted]
Trusting = Callable[[], ssl.SSLContext]
MakePair = Callable[[str], Pair]


def plain(running: Encrypted) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=5)


def shaken(running: Encrypted, context: ssl.SSLContext, *, buffer: int | None = None) -> ssl.SSLSocket:
    """A connection after its handshake."""
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(5)
    connection.connect(("127.0.0.1", running.port))
    return context.wrap_socket(connection, server_hostname="localhost")


def is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):  # a last alert of TLS may come first
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def client_hello() -> bytes:
    """The first bytes of a handshake."""
    outgoing = ssl.MemoryBIO()
    shaking = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        shaking.do_handshake()
    return outgoing.read()


def is_alive(running: Encrypted, context: ssl.SSLContext) -> bool:
    return httpx.get(f"https://127.0.0.1:{running.port}/livez", verify=context).status_code == 200


def test_requests_are_answered_with_keys_and_the_scheme_is_known(secured: Secured, trusting: Trusting) -> None:
    running = secured(api_keys=KEYS)
    with httpx.Client(base_url=f"https://localhost:{running.port}", verify=trusting()) as client:
        for _ in range(3):
            answer = client.post("/embed", json={"inputs": ["a"] * 100}, headers=bearer(READ))
            assert (answer.status_code, len(answer.json())) == (200, 100)
        assert client.get("/info").status_code == 401
    assert running.server.servers  # and those are ours
    assert running.server.config.ssl is None


def test_old_versions_of_tls_and_plain_http_are_closed(secured: Secured, trusting: Trusting) -> None:
    running = secured()
    old = trusting()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        shaken(running, old)
    with plain(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert is_closed(connection)
    with shaken(running, trusting()) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
    assert is_alive(running, trusting())


def test_a_renewed_certificate_is_shown_to_the_next_connection(
    secured: Secured, trusting: Trusting, pair: MakePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "LOOK_EVERY_S", 0)
    running = secured()

    def names() -> Any:
        context = ssl.create_default_context(cadata=ssl.get_server_certificate(("127.0.0.1", running.port)))
        with shaken(running, context) as connection:
            return dict(part[0] for part in (connection.getpeercert() or {})["subject"])["commonName"]  # type: ignore[misc]

    with httpx.Client(base_url=f"https://localhost:{running.port}", verify=trusting()) as client:
        assert client.get("/livez").status_code == 200
        assert names() == "first"
        directory = pair("second").certificate.parent
        for kind in ("crt", "key"):
            (directory / f"second.{kind}").replace(directory / f"first.{kind}")
        assert names() == "second"
        assert client.get("/livez").status_code == 200, "a connection that is open goes on"


@pytest.mark.parametrize("part", [0, 1, 100, None], ids=["silent", "a byte", "half", "all of the first message"])
def test_a_handshake_that_does_not_end_is_closed_by_the_deadline(
    secured: Secured, trusting: Trusting, monkeypatch: pytest.MonkeyPatch, part: int | None
) -> None:
    monkeypatch.setattr(handshakes, "RECEIVE_WITHIN_S", 0.5)
    running = secured()
    with plain(running) as slow:
        slow.sendall(client_hello()[:part])
        began = time.monotonic()
        assert is_alive(running, trusting()), "others are answered meanwhile"
        assert is_closed(slow)
        assert 0.3 < time.monotonic() - began < 2.5


def test_handshakes_count_as_connections(secured: Secured, trusting: Trusting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "RECEIVE_WITHIN_S", 1.5)
    running = secured(max_connections=4)
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(plain(running))
        time.sleep(0.2)
        assert is_alive(running, trusting())
        opened.enter_context(plain(running))
        time.sleep(0.2)
        assert is_closed(opened.enter_context(plain(running)))
        time.sleep(1.5)
        assert is_alive(running, trusting()), "they have run out"


def test_a_connection_after_its_handshake_counts_too(secured: Secured, trusting: Trusting) -> None:
    running = secured(max_connections=2)
    with shaken(running, trusting()), shaken(running, trusting()):
        time.sleep(0.1)
        with plain(running) as third:
            assert is_closed(third)
    time.sleep(0.1)
    assert is_alive(running, trusting())


@pytest.mark.parametrize(
    "sent", [b"", b"POST /embed HT", b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1"]
)
def test_a_request_that_does_not_end_is_closed(
    secured: Secured, trusting: Trusting, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_WITHIN_S", 0.4)
    running = secured()
    with shaken(running, trusting()) as slow:
        slow.sendall(sent)
        began = time.monotonic()
        assert is_closed(slow)
        assert time.monotonic() - began < 2
    assert is_alive(running, trusting())


def ask_much(running: Encrypted, context: ssl.SSLContext, *, last: bool) -> ssl.SSLSocket:
    """Ask for an answer that no buffer of the system can hold, over a connection that hardly has one."""
    body = json.dumps({"queries": ["a"] * 1000, "keys": ["a"] * 1000})
    head = f"POST /similarity HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    connection = shaken(running, context, buffer=4096)
    connection.sendall(f"{head}connection: {'close' if last else 'keep-alive'}\r\n\r\n{body}".encode())
    return connection


def is_whole(connection: ssl.SSLSocket) -> bool:
    answer = http.client.HTTPResponse(connection)
    try:
        answer.begin()
        length = int(answer.headers["content-length"])
        return len(answer.read()) == length > 3_000_000
    except (http.client.HTTPException, OSError):
        return False


@pytest.mark.parametrize("last", [False, True], ids=["kept alive", "last answer"])
@pytest.mark.parametrize(("within_s", "whole"), [(0.3, False), (10, True)], ids=["too late", "in time"])
def test_an_answer_that_is_not_read_in_time_is_thrown_away(
    secured: Secured, trusting: Trusting, monkeypatch: pytest.MonkeyPatch, within_s: float, whole: bool, last: bool
) -> None:
    monkeypatch.setattr(handshakes, "SEND_WITHIN_S", within_s if last else 10)
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 10 if last else within_s)
    monkeypatch.setattr("service.access.secured.GOODBYE_S", 0.1)
    running = secured(max_items=2000, max_pending=2000, max_batch_tokens=65_536)
    with ask_much(running, trusting(), last=last) as reader:
        time.sleep(1.5)
        assert is_whole(reader) == whole
    assert is_alive(running, trusting())


def test_answers_one_after_the_other_that_are_not_read_are_cut_off(
    secured: Secured, trusting: Trusting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SEND_WITHIN_S", 0.3)
    running = secured(max_items=2000, max_pending=2000, max_batch_tokens=65_536)
    with ask_much(running, trusting(), last=False) as reader:
        time.sleep(0.5)
        with suppress(OSError):
            reader.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(1)
        assert not is_whole(reader)
    assert is_alive(running, trusting())


def test_a_stop_does_not_wait_for_clients_who_have_their_answers(secured: Secured, trusting: Trusting) -> None:
    running = secured(drain_s=15)
    with ExitStack() as opened:
        opened.enter_context(plain(running))  # in its handshake
        for _ in range(3):
            idle = opened.enter_context(shaken(running, trusting()))
            idle.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        running.server.should_exit = True
        running.thread.join(14)
        assert not running.thread.is_alive()
        assert time.monotonic() - began < 5


def test_a_stop_waits_until_an_answer_is_read(secured: Secured, trusting: Trusting) -> None:
    running = secured(max_items=2000, max_pending=2000, max_batch_tokens=65_536, drain_s=15)
    with ask_much(running, trusting(), last=False) as reader:
        time.sleep(0.5)
        running.server.should_exit = True
        time.sleep(2.5)
        assert is_whole(reader)
    running.thread.join(5)
    assert not running.thread.is_alive()


def test_the_health_check_of_the_container_speaks_tls(secured: Secured, pair: MakePair) -> None:
    files = pair("first")
    running = secured(api_keys=KEYS)
    environment = {"MCSE_PORT": str(running.port), "MCSE_TLS_CERT": str(files.certificate)}
    done = CliRunner().invoke(service_app, ["healthcheck"], env={**environment, "MCSE_TLS_KEY": str(files.key)})
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(service_app, ["healthcheck"], env={"MCSE_PORT": str(running.port)}).exit_code == 1


def test_a_pair_that_does_not_belong_together_does_not_start(pair: MakePair) -> None:
    settings = Settings(port=0, tls_cert=pair("first").certificate, tls_key=pair("second").key)
    app = create_app(settings, checkpoint=StubCheckpoint(), runtime=StubEncoder())
    with pytest.raises(SettingsError, match="not a certificate and its private key"):
        server.serve_app(app, settings, 0.0)
