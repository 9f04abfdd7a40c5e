"""What a request costs before any encoding: our service around a runtime that does nothing, and a bare FastAPI route.

    python -m benchmarks.http [--seconds 2] [--rounds 3]

Both answer the same numbers, each from a process of its own on uvicorn with uvloop and httptools: ours from a stored
float32 matrix, the bare route from a list of Python floats through FastAPI's default JSON response. They take turns
in each round; the table gives medians. CPU is the server's own, user and system, from /proc; the client is a socket, a
request made beforehand and the length of the answer, so that it leaves the cores to the server.
"""

import asyncio
import itertools
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

DIMENSION = 384
SENTENCE = "A small brown dog runs over the wet grass of the park and carries a red ball to the two children."
LOADS = ((1, 1), (16, 1), (8, 32))
"""(connections, sentences in each request)"""
VECTOR = np.random.default_rng(0).normal(size=DIMENSION).astype(np.float32) / np.float32(DIMENSION**0.5)

Serve = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one server under one load."""

    requests_per_s: float
    cpu_ms: float
    """Of the server, for a request."""
    p50_ms: float


def main(
    seconds: Annotated[float, typer.Option(help="How long each server is asked per load and round.")] = 2.0,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are told.")] = 3,
) -> None:
    """Ask both servers under every load, in turns."""
    with running(serve_ours) as ours, running(serve_bare) as bare:
        servers = {"mcse": ours, "bare FastAPI": bare}
        costs: dict[tuple[str, tuple[int, int]], list[Cost]] = {}
        for _ in range(rounds):
            for load in LOADS:
                for name, server in servers.items():
                    costs.setdefault((name, load), []).append(asyncio.run(cost(server, load, seconds)))
    show({key: middle(seen) for key, seen in costs.items()})


# --- servers, each in a process of its own ---


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(serve: Serve) -> Iterator[Server]:
    """Start a server on a free port and wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,))
    process.start()
    try:
        while not _answers(port):
            if not process.is_alive():
                raise RuntimeError(f"the server of {serve.__name__} did not start")
            time.sleep(0.05)
        yield Server(process.pid or 0, port)
    finally:
        process.terminate()
        process.join()


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """One token per word, as if."""

    ids: list[int]
    dropped: int = 0


class Model:
    """What the service asks of a checkpoint, without one. No two texts have the same ids, so that each is encoded."""

    name, kind, pooling, pooling_reason = "nothing", "nothing", "mean", "nothing is computed"
    fingerprint = "0" * 64
    max_tokens, dimension, grounded_dimension = 256, DIMENSION, None
    numbers = itertools.count()

    @property
    def tokenizer(self) -> "Model":
        """Itself."""
        return self

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Ids without reading the text."""
        return [Tokens([next(self.numbers), *range(30)]) for _ in texts]


class Nothing:
    """A runtime that knows its one answer."""

    name, precision, reason, threads = "nothing-float32", "float32", "HTTP is measured", 1

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The same vector for each."""
        return np.broadcast_to(VECTOR, (len(batch), DIMENSION))

    def ground(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        """There is no grounded space."""
        raise NotImplementedError


def serve_ours(port: int) -> None:
    """The service as it is served, log lines into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    from service.app import create_app
    from service.server import serve_app
    from service.settings import Settings

    with tempfile.TemporaryDirectory() as data_dir:
        settings = Settings(port=port, data_dir=Path(data_dir), threads=1)
        app = create_app(settings, checkpoint=Model(), runtime=Nothing())
        serve_app(app, settings, time.monotonic())


def serve_bare(port: int) -> None:
    """As few lines of FastAPI as there can be."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Body(BaseModel):
        inputs: list[str]

    app = FastAPI()
    row: list[float] = orjson.loads(orjson.dumps(VECTOR, option=orjson.OPT_SERIALIZE_NUMPY))

    @app.post("/embed")
    async def embed(body: Body) -> list[list[float]]:
        return [row] * len(body.inputs)

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)


# --- client ---


async def cost(server: Server, load: tuple[int, int], seconds: float) -> Cost:
    """Ask over several connections at once, each as soon as its last answer is there."""
    connections, sentences = load
    loop = asyncio.get_running_loop()
    callers = [Caller(_request(sentences)) for _ in range(connections)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", server.port)  # type: ignore[misc]
    await asyncio.sleep(0.2)  # warm
    taken = [caller.restart() for caller in callers]
    started, cpu = time.perf_counter(), server.cpu_seconds()
    await asyncio.sleep(seconds)
    requests, elapsed, spent = sum(map(len, taken)), time.perf_counter() - started, server.cpu_seconds() - cpu
    for caller in callers:
        caller.stop()
    return Cost(
        requests_per_s=requests / elapsed,
        cpu_ms=1000 * spent / requests,
        p50_ms=1000 * statistics.median([each for one in taken for each in one]),
    )


def _request(sentences: int) -> bytes:
    body = orjson.dumps({"inputs": [SENTENCE] * sentences})
    head = f"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Caller(asyncio.Protocol):
    """One connection: sends its request again whenever the answer is complete, and keeps the seconds it took."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._missing = 0
        self._begin = 0.0
        self._seconds: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was expected")
        self._transport = transport
        self._send()

    def restart(self) -> list[float]:
        """The list that is filled from now on."""
        self._seconds = []
        return self._seconds

    def stop(self) -> None:
        """Hang up."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read the head where one begins, then only count."""
        if self._missing == 0:
            head, _, data = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the server answered {head[:40]!r}")
            self._missing = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        self._missing -= len(data)
        if self._missing == 0:
            self._seconds.append(time.perf_counter() - self._begin)
            self._send()

    def _send(self) -> None:
        self._begin = time.perf_counter()
        self._transport.write(self._request)


# --- the table ---


def middle(seen: Sequence[Cost]) -> Cost:
    """Median of each figure."""
    return Cost(
        statistics.median(each.requests_per_s for each in seen),
        statistics.median(each.cpu_ms for each in seen),
        statistics.median(each.p50_ms for each in seen),
    )


def show(costs: dict[tuple[str, tuple[int, int]], Cost]) -> None:
    """Print a row per load and server."""
    table = Table("load", "server", "requests/s", "CPU ms/request", "p50 ms")
    for load in LOADS:
        for (name, its), found in costs.items():
            if its == load:
                what = f"{load[0]} connections x {load[1]}"
                table.add_row(what, name, f"{found.requests_per_s:.0f}", f"{found.cpu_ms:.3f}", f"{found.p50_ms:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
