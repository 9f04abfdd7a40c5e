"""Keys of each role, certificates, and the service as it is started, with TLS."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop

from service.access.keys import Role
from service.app import create_app
from service.server import DrainingServer, certificate_of, config_of
from service.settings import Settings
from tests.service.conftest import StubCheckpoint, StubEncoder

READ, WRITE, ADMIN = ("read-key-0123456789", "write-key-0123456789", "admin-key-0123456789")
KEYS = f"read:reader:{READ},write:writer:{WRITE},admin:boss:{ADMIN}"
KEY_OF: dict[Role, str] = {"read": READ, "write": WRITE, "admin": ADMIN}


class Pair(NamedTuple):
    """The files of a certificate and of its private key."""

    certificate: Path
    key: Path


class Encrypted(NamedTuple):
    """A running service with TLS."""

    port: int
    server: DrainingServer
    thread: threading.Thread


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def pair(tmp_path: Path) -> Callable[[str], Pair]:
    """Make a certificate for this machine and its key, under a name."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificates, is not installed")

    def make(name: str = "first") -> Pair:
        made = Pair(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        files = ["-out", str(made.certificate), "-keyout", str(made.key)]
        subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
        return made

    return make


@pytest.fixture
def secured(tmp_path: Path, pair: Callable[[str], Pair]) -> Iterator[Callable[..., Encrypted]]:
    """Start the service behind the certificate `first`, with these settings."""
    files = pair("first")
    with ExitStack() as running:

        def start(**given: Any) -> Encrypted:
            usual = {"data_dir": tmp_path / "data", "threads": 1, "max_batch_tokens": 4096, "drain_s": 5}
            settings = Settings(**{**usual, "tls_cert": files.certificate, "tls_key": files.key, **given})
            return running.enter_context(_encrypted(settings))

        yield start


@contextmanager
def _encrypted(settings: Settings) -> Iterator[Encrypted]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings, checkpoint=StubCheckpoint(), runtime=StubEncoder())
    servers: list[DrainingServer] = []

    async def serve() -> None:
        async with app.router.lifespan_context(app):
            certificate = certificate_of(settings)
            servers.append(DrainingServer(config_of(app, settings), app.state.services, certificate, 0.0))
            await servers[0].serve(sockets=[listener])

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    while not servers or not servers[0].started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    try:
        yield Encrypted(listener.getsockname()[1], servers[0], thread)
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def trusting(tmp_path: Path) -> Callable[[], ssl.SSLContext]:
    """A client's context that trusts the certificate `first` and no other."""
    return lambda: ssl.create_default_context(cafile=tmp_path / "first.crt")
