"""Ask a server for a while over several connections, each as soon as its last answer is there."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from benchmarks.http.serving import Server

SENTENCE = "A small brown dog runs over the wet grass of the park and carries a red ball to the two children."
_WARM_S = 0.2
_FIRST_WITHIN_S = 30  # the first answer in a form may need a calibration or an import


@dataclass(frozen=True, slots=True)
class Load:
    """So many connections, and so many texts in each request."""

    connections: int
    texts: int

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.connections} connection{'s' * (self.connections > 1)} x {self.texts}"


@dataclass(frozen=True, slots=True)
class Form:
    """A request but for its texts."""

    path: str = "/embed"
    key: str = "inputs"
    """Where the texts stand."""
    more: Mapping[str, Any] = field(default_factory=dict)
    accept: str = "*/*"

    def request(self, texts: int) -> bytes:
        """The bytes of one with so many texts."""
        body = orjson.dumps({self.key: [SENTENCE] * texts, **self.more})
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: localhost\r\naccept: {self.accept}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one server under one load."""

    requests_per_s: float
    cpu_ms: float
    """Of the server, for a request."""
    p50_ms: float


def ask(server: Server, form: Form, load: Load, seconds: float) -> Cost:
    """Keep the server busy.

    Raises:
        RuntimeError: an answer was not 200, or the server hung up.
    """
    import uvloop

    return uvloop.run(_ask(server, form.request(load.texts), load.connections, seconds))


async def _ask(server: Server, request: bytes, connections: int, seconds: float) -> Cost:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    callers = [
        (await loop.create_connection(lambda: Caller(request, failed), "127.0.0.1", server.port))[1]
        for _ in range(connections)
    ]
    try:
        await _warm(callers, failed)
        taken = [caller.restart() for caller in callers]
        started, cpu = time.perf_counter(), server.cpu_seconds()
        await asyncio.wait([failed], timeout=seconds)
        elapsed, spent = time.perf_counter() - started, server.cpu_seconds() - cpu
        if failed.done():
            failed.result()
    finally:
        for caller in callers:
            caller.stop()
    return cost([each for one in taken for each in one], elapsed, spent)


async def _warm(callers: Sequence["Caller"], failed: "asyncio.Future[None]") -> None:
    """Until each has had an answer, and a while longer."""
    end = time.monotonic() + _FIRST_WITHIN_S
    while not all(caller.answered for caller in callers) and not failed.done() and time.monotonic() < end:
        await asyncio.sleep(0.01)
    await asyncio.wait([failed], timeout=_WARM_S)


def cost(latencies: Sequence[float], elapsed: float, spent: float) -> Cost:
    """Of requests that took so long each, in so many seconds, for so many seconds of CPU.

    Raises:
        RuntimeError: there were none.
    """
    if not latencies:
        raise RuntimeError("the server answered no request in the time given; give it more")
    count = len(latencies)
    return Cost(count / elapsed, 1000 * spent / count, 1000 * statistics.median(latencies))


class Caller(asyncio.Protocol):
    """One connection: sends its request again whenever the answer is complete, and keeps the seconds it took."""

    def __init__(self, request: bytes, failed: "asyncio.Future[None]") -> None:
        self._request = request
        self._failed = failed
        self._head = b""
        self._missing = 0
        self._begin = 0.0
        self._seconds: list[float] = []
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Not before it was stopped."""
        self._fail("the server hung up")

    def restart(self) -> list[float]:
        """The list that is filled from now on."""
        self._seconds = []
        return self._seconds

    def stop(self) -> None:
        """Hang up."""
        self._failed.cancel()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read the head where one begins, then only count."""
        if self._missing == 0:
            head, end, data = (self._head + data).partition(b"\r\n\r\n")
            self._head = b"" if end else head
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._fail(f"the server answered {head[:40]!r}")
                return
            self._missing = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        self._missing -= len(data)
        if self._missing == 0:
            self._seconds.append(time.perf_counter() - self._begin)
            self.answered = True
            self._send()

    def _send(self) -> None:
        self._begin = time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, why: str) -> None:
        if not self._failed.done():
            self._failed.set_exception(RuntimeError(why))
