"""Requests a second beside Infinity's server, each around a runtime that computes nothing, in turns."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, turns
from benchmarks.http.load import Form, Load, ask
from benchmarks.http.serving import Server, running, serve_ours
from benchmarks.peers.servers import Plan
from benchmarks.peers.servers import running as running_peer
from models.bench.tables import Table

DIMENSION = 13  # of Infinity's stub
LOADS = (Load(1, 1), Load(16, 1), Load(64, 1), Load(8, 32))
OURS, PEER = "mcse", "Infinity, debug engine"
FORMS: Mapping[str, Form] = {
    OURS: Form(),
    PEER: Form("/embeddings", "input", {"model": "default/not-specified"}),
}
NOTES = {"CPU": "user and system time of the server's process for a request"}
_INFINITY = Plan(
    "infinity",
    (
        *("-m", "benchmarks.peers.ways.infinity", "v2", "--model-id", "{model}", "--engine", "debugengine"),
        *("--device", "cpu", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "error"),
    ),
    FORMS[PEER].path,
    FORMS[PEER].key,
    FORMS[PEER].more,
)


@dataclass(slots=True)
class Seen:
    """One server under one load, round by round."""

    requests_per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)


def measure(seconds: float, rounds: int) -> dict[tuple[Load, str], Seen]:
    """Start both, and let them take turns under every load.

    Raises:
        RuntimeError: the peer's environment could not be made, or a server did not answer.
    """
    seen = {(load, name): Seen() for load in LOADS for name in FORMS}
    with running(serve_ours, DIMENSION) as ours, _infinity() as peer:
        servers = {OURS: ours, PEER: peer}
        for server in servers.values():
            server.pause()
        for order in track(list(turns(list(servers), rounds)), "rounds", console=Console(stderr=True)):
            for load, name in product(LOADS, order):
                servers[name].resume()
                _add(seen[load, name], servers[name], FORMS[name], load, seconds)
                servers[name].pause()
    return seen


def _add(seen: Seen, server: Server, form: Form, load: Load, seconds: float) -> None:
    found = ask(server, form, load, seconds)
    seen.requests_per_s.append(found.requests_per_s)
    seen.cpu_ms.append(found.cpu_ms)
    seen.p50_ms.append(found.p50_ms)


@contextmanager
def _infinity() -> Iterator[Server]:
    with running_peer(_INFINITY, Path("stub"), 1) as peer:
        yield Server(peer.pid, peer.port)


def tables(seen: Mapping[tuple[Load, str], Seen]) -> list[Table]:
    """One, with a row for each load and server."""
    rows = tuple(
        (
            load.name,
            name,
            f"{Spread.of(its.requests_per_s).median:,.0f}",
            paired(its.requests_per_s, seen[load, PEER].requests_per_s).told(),
            f"{Spread.of(its.cpu_ms).median:.3f}",
            f"{Spread.of(its.p50_ms).median:.2f}",
        )
        for (load, name), its in seen.items()
    )
    header = ("load", "server", "requests/s", "times Infinity", "CPU ms", "p50 ms")
    return [Table(f"Servers around a runtime that computes nothing, {DIMENSION} dimensions", header, rows)]
