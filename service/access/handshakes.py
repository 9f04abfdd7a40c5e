"""Accept connections that are encrypted, and give each handshake its time and its place among the connections."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Container, Sized
from contextlib import suppress
from typing import Protocol

import structlog

from service.protocol import RECEIVE_WITHIN_S, SEND_WITHIN_S

_OUT_OF_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE_S = 1.0  # until connections that end have made room

log = structlog.get_logger()


class Connections(Sized, Container[object], Protocol):
    """Those whose handshake is done."""


class Handshakes:
    """Stands where asyncio's server stands for connections that are not encrypted. The event loop's own server would
    let any number of handshakes go on, a minute each, and would keep the first certificate."""

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        protocol: Callable[[], asyncio.Protocol],
        connections: Connections,
        most: int,
    ) -> None:
        """`most` bounds handshakes and `connections` together. Accepts from now on; call it on the event loop."""
        self._listener = listener
        self._context = context
        self._protocol = protocol
        self._connections = connections
        self._most = most
        self._running: dict[asyncio.Task[None], asyncio.Protocol] = {}
        listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and give up the handshakes that go on."""
        for task in (self._accepting, *self._running):
            task.cancel()

    async def wait_closed(self) -> None:
        """Until all that is closed has ended."""
        await asyncio.gather(self._accepting, *self._running, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in _OUT_OF_ROOM:
                    log.error("cannot_accept", reason=error.strerror)
                    await asyncio.sleep(PAUSE_S)
                continue
            if self._busy() >= self._most:
                connection.close()
                continue
            protocol = self._protocol()
            task = asyncio.create_task(self._shake_hands(connection, protocol))
            self._running[task] = protocol
            task.add_done_callback(self._running.pop)

    def _busy(self) -> int:
        """Connections, and handshakes that have not become one."""
        return len(self._connections) + sum(protocol not in self._connections for protocol in self._running.values())

    async def _shake_hands(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        with suppress(OSError):  # the client has left, or speaks something else; ssl.SSLError is one of them
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context(),
                ssl_handshake_timeout=RECEIVE_WITHIN_S,
                ssl_shutdown_timeout=SEND_WITHIN_S,
            )
