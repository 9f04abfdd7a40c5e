"""An open-loop load generator: requests leave at fixed times, whatever has become of those before.

The latency of a request counts from the time at which it was due, so that waiting for a late one hides nothing.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

Arrivals = Literal["even", "poisson"]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: `leaving` is the share of clients that disconnect once their request is sent."""

    port: int
    request: bytes
    rate: float
    seconds: float
    arrivals: Arrivals = "poisson"
    leaving: float = 0.0
    patience_s: float = 30.0
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What became of it. Latencies are seconds since the request was due, by status."""

    latencies: dict[int, list[float]] = field(default_factory=dict)
    headers: dict[int, list[bytes]] = field(default_factory=dict)
    left: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[int, int]:
        """Answers by status."""
        return {status: len(each) for status, each in self.latencies.items()}

    def percentile(self, share: float, status: int = 200) -> float:
        """The latency that this share of the answers of a status kept to; raises ValueError where there is none."""
        return percentile(self.latencies.get(status, []), share)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; raises ValueError for no values."""
    if not values:
        raise ValueError("there is no answer of which to take a percentile")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def due_times(load: Load) -> Iterator[float]:
    """Seconds after the begin at which requests are due."""
    drawn = random.Random(load.seed)
    due = 0.0
    while due < load.seconds:
        yield due
        due += drawn.expovariate(load.rate) if load.arrivals == "poisson" else 1 / load.rate


def post(path: str, body: bytes) -> bytes:
    """A whole request of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def generate(load: Load) -> Outcome:
    """Send all of it and wait for what is still open."""
    return await _Generator(load).run()


class _Generator:
    """Connections that are idle are used again; where none is, one more is opened."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._idle: list[Streams] = []
        self._outcome = Outcome()
        self._leaves = random.Random(load.seed + 1)

    async def run(self) -> Outcome:
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for due in due_times(self._load):
                await asyncio.sleep(max(0.0, begin + due - time.perf_counter()))
                group.create_task(self._one(begin + due))
        for _, writer in self._idle:
            await _close(writer)
        return self._outcome

    async def _one(self, due: float) -> None:
        try:
            async with asyncio.timeout(self._load.patience_s):
                await self._exchange(due)
        except (OSError, EOFError, TimeoutError) as error:
            self._outcome.failed[type(error).__name__] += 1

    async def _exchange(self, due: float) -> None:
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        reusable = False
        try:
            writer.write(self._load.request)
            if self._leaves.random() < self._load.leaving:
                await writer.drain()
                self._outcome.left += 1
                return
            status, head = await _answer(reader)
            self._outcome.latencies.setdefault(status, []).append(time.perf_counter() - due)
            self._outcome.headers.setdefault(status, []).append(head)
            reusable = b"connection: close" not in head
        finally:
            if reusable:
                self._idle.append((reader, writer))
            else:
                await _close(writer)

    async def _connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self._load.port)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the other side was faster
        await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and lower-case head of an answer that says its length, which is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), head
