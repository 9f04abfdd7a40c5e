"""uvicorn's HTTP protocol with the limits it lacks: time to receive, size of headers, number of connections.

uvicorn starts its keep-alive timer only after a response, so a client that sends half a request keeps its connection
for ever, and a few hundred of those keep everybody else out.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RECEIVE_WITHIN_S = 10.0  # the whole request, from the opened connection or its first byte to its last
MAX_HEAD_BYTES = 64 * 1024  # request line and headers; proxies add some, cookies some more


class LimitedProtocol(HttpToolsProtocol):
    """
    One connection:

        opened, or next request begins ── timer starts ── request received ── timer stops
                                              └── RECEIVE_WITHIN_S later: closed
    """

    max_connections: ClassVar[int] = 512

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection when there are too many, else give it its time."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that does not end."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        """A request begins, the first or the next on this connection."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._deadline is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        """The body has no bound here; the app has one."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is here; from now on the deadline is the app's."""
        self._stop_timer()
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._deadline = self.loop.call_later(RECEIVE_WITHIN_S, self._close_late)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def limited_protocol(max_connections: int) -> type[LimitedProtocol]:
    """The protocol class with this many connections at most."""
    limits: dict[str, Any] = {"max_connections": max_connections}
    return type("LimitedProtocol", (LimitedProtocol,), limits)
