"""A load client that costs little: sockets, requests made beforehand, and answers that are counted and not parsed.

    python -m benchmarks.client < job.json > outcome.json

Each connection sends its next request as soon as its last answer is there. It is run in a process of its own, so that
it shares no interpreter with what asks for it or with what it asks.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Job:
    """What to send."""

    port: int
    path: str
    bodies: list[str]
    """One request each, as JSON text; sent in this order, whichever connection is free."""
    connections: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back."""

    seconds: float
    """From the first request to the last answer."""
    latencies: list[float]
    """Seconds of each request, in the order of the answers."""


def send(job: Job) -> Outcome:
    """Run a job in a process of its own.

    Raises:
        RuntimeError: the server refused a request or closed a connection.
    """
    command = [sys.executable, "-m", "benchmarks.client"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(asdict(job)), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"port {job.port}{job.path}: the server did not answer every request with 200")
    return Outcome(**json.loads(done.stdout))


def request(path: str, body: str) -> bytes:
    """The bytes of a POST of JSON."""
    content = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Connection(asyncio.Protocol):
    """Takes the next request whenever its answer is complete."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._received = bytearray()
        self._missing: int | None = None  # bytes of the body; None until the head is there
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection; `next` starts it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def next(self) -> None:
        """Send one more, or hang up where there is none."""
        following = next(self._requests, None)
        if following is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        """Count an answer; its head says how long it is."""
        if self._missing is None:
            self._received += data
            if (end := self._received.find(b"\r\n\r\n")) < 0:
                return
            head = bytes(self._received[:end])
            data = bytes(self._received[end + 4 :])
            self._received.clear()
            self._missing = _length(head)
        self._missing -= len(data)
        if self._missing == 0:
            self._missing = None
            self._latencies.append(time.perf_counter() - self._sent)
            self.next()

    def hang_up(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """An end that was not ours is a failure."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))


def _length(head: bytes) -> int:
    status, _, fields = head.partition(b"\r\n")
    if b" 200 " not in status + b" ":
        raise RuntimeError(status.decode("latin-1"))
    return int(fields.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


async def run(job: Job) -> Outcome:
    """Send everything over this process's event loop."""
    requests = iter([request(job.path, body) for body in job.bodies])
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(requests, latencies), "127.0.0.1", job.port))[1]
        for _ in range(job.connections)
    ]
    started = time.perf_counter()
    for connection in connections:
        connection.next()
    try:
        await asyncio.gather(*(connection.done for connection in connections))
    finally:
        for connection in connections:
            connection.hang_up()
    return Outcome(time.perf_counter() - started, latencies)


def bodies(texts: Sequence[str], size: int, key: str, more: dict[str, Any] | None = None) -> list[str]:
    """Request bodies of `size` texts each under `key`."""
    parts = [texts[at : at + size] for at in range(0, len(texts), size)]
    return [json.dumps({key: list(part), **(more or {})}) for part in parts]


def main() -> None:
    """Read a job, write its outcome."""
    import uvloop

    job = Job(**json.load(sys.stdin))
    json.dump(asdict(uvloop.run(run(job))), sys.stdout)


if __name__ == "__main__":
    main()
