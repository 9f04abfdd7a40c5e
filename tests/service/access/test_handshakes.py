import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from service.access import handshakes
from service.access.certificate import Certificate
from service.access.handshakes import Handshakes
from tests.service.access.conftest import Pair


class Scarce(socket.socket):
    """A listener without room for the first connections that come."""

    failures: ClassVar = [errno.EMFILE, errno.ECONNABORTED]

    def accept(self) -> Any:
        accepted = super().accept()
        if self.failures:
            accepted[0].close()
            raise OSError(self.failures.pop(0), "none left")
        return accepted


class Greeting(asyncio.Protocol):
    """Says one word to everybody."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(b"hello")
        transport.close()


def test_where_there_is_no_room_for_a_connection_the_next_ones_are_accepted(
    pair: Callable[[str], Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "PAUSE_S", 0.05)
    certificate = Certificate(*pair("first"))
    context = ssl.create_default_context(cafile=tmp_path / "first.crt")

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(
            *listener.getsockname(), ssl=context, server_hostname="localhost"
        )
        try:
            return await reader.read(5)
        finally:
            writer.close()

    async def run() -> list[bytes | OSError]:
        accepting = Handshakes(listener, certificate.context, Greeting, set(), 10)
        answers: list[bytes | OSError] = []
        for _ in range(4):
            try:
                answers.append(await ask())
            except OSError as error:
                answers.append(error)
        accepting.close()
        await accepting.wait_closed()
        return answers

    with Scarce() as listener, capture_logs() as lines:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        answers = asyncio.run(run())
    assert [isinstance(answer, OSError) for answer in answers[:2]] == [True, True]
    assert answers[2:] == [b"hello", b"hello"]
    assert [line["event"] for line in lines] == ["cannot_accept"]
