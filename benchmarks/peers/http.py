"""Servers over HTTP, in turns: one connection, many, and many with many sentences; and what HTTP costs of our rate."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.client import Outcome
from benchmarks.compare import Spread, paired, turns
from benchmarks.peers.servers import PLANS, Server, running
from benchmarks.peers.worker import Worker
from models.bench.tables import Table
from models.bench.timing import percentile

BASE = "Infinity, torch engine"
OURS = "mcse"
_WARM_UP = 16  # sentences, when a server has its turn


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a server is asked."""

    connections: int
    size: int
    """Sentences in each request."""
    share: float
    """Of the sentences; a slow pattern gets fewer."""

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.connections} connection{'s' * (self.connections > 1)} x {self.size}"


PATTERNS = (Pattern(1, 1, 1 / 16), Pattern(16, 1, 1 / 4), Pattern(8, 32, 1.0))


@dataclass(slots=True)
class Seen:
    """One server under one pattern, round by round."""

    sentences_per_s: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def add(self, outcome: Outcome, sentences: int) -> None:
        """A round's figures."""
        self.sentences_per_s.append(sentences / outcome.seconds)
        self.p50_ms.append(1000 * percentile(outcome.latencies, 0.5))
        self.p99_ms.append(1000 * percentile(outcome.latencies, 0.99))


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole comparison."""

    seen: Mapping[tuple[str, str], Seen]
    """By server and pattern."""
    in_process: list[float]
    """Our sentences a second without HTTP, each next to the round's last pattern."""


def measure(model: Path, texts: Sequence[str], *, rounds: int, threads: int, precision: str | None) -> Measured:
    """Start every server and let them take turns; then, in the same round, our runtime without HTTP.

    Args:
        model: the checkpoint's directory.
        texts: what is sent; slow patterns get a part of them.
        rounds: how often.
        threads: of each.
        precision: of ours; None leaves it to the service.

    Raises:
        RuntimeError: an environment could not be made, or a server did not answer.
    """
    console = Console(stderr=True)
    seen = {(name, pattern.name): Seen() for pattern in PATTERNS for name in PLANS}
    in_process: list[float] = []
    settings = {} if precision is None else {"MCSE_PRECISION": precision}
    with ExitStack() as stack:
        servers = {}
        for name, plan in PLANS.items():
            console.print(f"starting {name}")
            server = stack.enter_context(running(plan, model, threads, settings if name == OURS else None))
            servers[name] = server
            server.pause()
        arguments = ["--model", str(model), "--precision", precision or "auto"]
        worker = stack.enter_context(Worker(Path(sys.executable), "mcse_encode", arguments, threads))
        worker.ready()
        for order in track(list(turns(list(servers), rounds)), description="rounds", console=console):
            for name in order:
                _round(name, servers[name], texts, seen)
            in_process.append(len(texts) / worker.seconds(texts))
    return Measured(seen, in_process)


def _round(name: str, server: Server, texts: Sequence[str], seen: Mapping[tuple[str, str], Seen]) -> None:
    server.resume()
    server.ask(texts[:_WARM_UP], connections=1, size=_WARM_UP)
    for pattern in PATTERNS:
        some = texts[: max(pattern.size, round(pattern.share * len(texts)))]
        outcome = server.ask(some, connections=pattern.connections, size=pattern.size)
        seen[name, pattern.name].add(outcome, len(some))
    server.pause()


def tables(measured: Measured, title: str) -> list[Table]:
    """One with a row per pattern and server, ratios to the base in the same round; one of HTTP against none."""
    rows = tuple(
        (pattern.name, name, *_cells(measured.seen[name, pattern.name], measured.seen[BASE, pattern.name]))
        for pattern in PATTERNS
        for name in PLANS
    )
    header = ("load", "server", "sentences/s", "times the base", "p50 ms", "of the base", "p99 ms", "of the base")
    return [Table(title, header, rows), _http_cost(measured)]


def _cells(seen: Seen, base: Seen) -> tuple[str, ...]:
    return (
        f"{Spread.of(seen.sentences_per_s).median:,.0f}",
        paired(seen.sentences_per_s, base.sentences_per_s).told(),
        f"{Spread.of(seen.p50_ms).median:,.1f}",
        paired(seen.p50_ms, base.p50_ms).told(),
        f"{Spread.of(seen.p99_ms).median:,.1f}",
        paired(seen.p99_ms, base.p99_ms).told(),
    )


def _http_cost(measured: Measured) -> Table:
    through = measured.seen[OURS, PATTERNS[-1].name].sentences_per_s
    rows = (
        ("in process", f"{Spread.of(measured.in_process).median:,.0f}", ""),
        (
            f"over HTTP, {PATTERNS[-1].name}",
            f"{Spread.of(through).median:,.0f}",
            paired(through, measured.in_process).told(),
        ),
    )
    return Table("mcse: through HTTP over in process", ("way", "sentences/s", "ratio"), rows)
