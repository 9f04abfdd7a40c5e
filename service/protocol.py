"""uvicorn's HTTP protocol with the limits it lacks: time to receive and to send, size of headers, connections.

uvicorn starts its keep-alive timer only after a response, stops it at any byte, and waits without end for an answer to
be read. So a client that sends half a request, or reads nothing, keeps its connection for ever, and a few hundred of
those keep everybody else out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from starlette.types import Scope
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

RECEIVE_WITHIN_S = 10.0  # the whole request, from the opened connection or its first byte to its last
PATIENCE_KEY = "mcse.patience"  # in the scope: a function to call for a body that may take longer
CYCLE_KEY = "mcse.cycle"  # in the scope: uvicorn's object for this request and its answer
LEAST_BYTES = 10 * 1024  # of such a body, in every RECEIVE_WITHIN_S in which the app was ready for them
SEND_WITHIN_S = 30.0  # from the first byte of an answer that the client does not take to the last
MAX_HEAD_BYTES = 64 * 1024  # request line and headers; proxies add some, cookies some more

SendWhole = Callable[[int, Sequence[tuple[bytes, bytes]], bytes], bool]
"""(status, headers, body) -> whether it was sent."""


class LimitedProtocol(HttpToolsProtocol):
    """
    One connection:

        opened, or first byte after an answer ── timer starts ── request received ── timer stops
                                                     └── RECEIVE_WITHIN_S later: closed
        an answer waits for the client ── timer starts ── all of it is taken ── timer stops
                                              └── SEND_WITHIN_S later: cut off, what waits is thrown away

    For a body of any size the app asks for patience: then the first timer starts again as long as LEAST_BYTES have
    come, or the app was not ready for them.
    """

    max_connections: ClassVar[int] = 512

    _deadline: asyncio.TimerHandle | None = None
    _send_deadline: asyncio.TimerHandle | None = None
    _receiving = False
    _in_head = True
    _head_bytes = 0
    _patient = False
    _came = 0
    _was_paused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection when there are too many, else give it its time."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        transport.set_write_buffer_limits(0)  # so that pause_writing and resume_writing tell of every byte that waits
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers with the connection."""
        self._stop_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that does not end, and time those that begin no request."""
        self._came += len(data)
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")
        if self._deadline is None and (self._is_receiving() or self._is_idle()):
            self._start_timer()  # for the rest of the request; or a line feed alone has just stopped uvicorn's timer

    def pause_writing(self) -> None:
        """Bytes of an answer wait; also those that `close` would wait for."""
        super().pause_writing()
        self._send_deadline = self.loop.call_later(SEND_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken them all."""
        self._stop_send_timer()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """A request begins, the first or the next on this connection."""
        super().on_message_begin()
        self._receiving = True

    def on_headers_complete(self) -> None:
        """The body has no bound here; the app has one."""
        self._in_head = False
        self.scope[PATIENCE_KEY] = partial(self._be_patient, self.scope)  # type: ignore[literal-required]
        super().on_headers_complete()
        self.scope[CYCLE_KEY] = self.cycle  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        """The whole request is here; from now on the deadline is the app's."""
        self._stop_timer()
        self._receiving = False
        self._patient = False
        self._in_head = True  # what comes next belongs to the next one, from its first byte
        self._head_bytes = 0
        super().on_message_complete()

    def _is_receiving(self) -> bool:
        """Whether a request has begun and is not here yet."""
        return self._receiving and not self.transport.is_closing()

    def _is_idle(self) -> bool:
        """Whether no request is under way and uvicorn's keep-alive timer does not run either."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None and not self.transport.is_closing()

    def _be_patient(self, scope: HTTPScope) -> None:
        """Called by the app, which may do so when the body is here and the next request has begun."""
        if self.scope is scope and self._deadline is not None:
            self._patient = True
            self._stop_timer()
            self._start_timer()

    def _is_coming(self) -> bool:
        """Whether a body that gets patience has come on since the timer was started."""
        if not self._patient or self.cycle.response_complete:
            return False
        return self._came >= LEAST_BYTES or self._was_paused or self.flow.read_paused

    def _start_timer(self) -> None:
        self._came = 0
        self._was_paused = self.flow.read_paused
        self._deadline = self.loop.call_later(RECEIVE_WITHIN_S, self._close_late)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_send_timer(self) -> None:
        if self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None

    def _close_late(self) -> None:
        self._deadline = None
        if self._is_coming():
            self._start_timer()
        elif not self.transport.is_closing():
            self.transport.close()


def sender_of_whole(scope: Scope, send: Callable[..., Awaitable[None]]) -> SendWhole | None:
    """What sends an answer of which all is there in one go, where `send` is the server's own and not one before it."""
    cycle: RequestResponseCycle | None = scope.get(CYCLE_KEY)
    return partial(_send_whole, cycle) if cycle is not None and send == cycle.send else None


def _send_whole(cycle: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
    """One write; uvicorn writes head and body apart, and searches every header twice for what may not be in it.

    False where nothing was sent, because the answer is not as plain as nearly all are: it is for uvicorn then.
    """
    lines = [STATUS_LINE[status], *(b"%s: %s\r\n" % header for header in (*cycle.default_headers, *headers))]
    head = b"".join(lines)
    plain = cycle.keep_alive and cycle.scope["method"] != "HEAD" and (b"content-length", b"%d" % len(body)) in headers
    clean = head.count(b"\r") == head.count(b"\n") == len(lines) and b"\nconnection: " not in head
    free = not (cycle.response_started or cycle.disconnected or cycle.flow.write_paused)
    if not (plain and clean and free):
        return False
    cycle.transport.write(b"".join((head, b"\r\n", body)))
    cycle.waiting_for_100_continue = False
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True


def limited_protocol(max_connections: int) -> type[LimitedProtocol]:
    """The protocol class with this many connections at most."""
    limits: dict[str, Any] = {"max_connections": max_connections}
    return type("LimitedProtocol", (LimitedProtocol,), limits)
