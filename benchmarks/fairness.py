"""Whether one client's large requests hold up another's single texts, and what keeping them apart costs.

    python -m benchmarks.fairness [--items 2000] [--singles 500] [--rounds 5]

The service runs in a process of its own, and so does the client of single texts, which sends one after the other. The
client of large requests sends them back to back. Sentences are drawn by a seed from the Wikipedia file in MCSE_DATA.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import cycle
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from benchmarks.client import bodies
from benchmarks.compare import Spread, paired, show
from benchmarks.peers.servers import PLANS, Server, running
from benchmarks.peers.texts import draw
from benchmarks.serving import probing
from models.bench.tables import Table
from models.bench.timing import percentile
from models.cores import usable_cores
from models.resolve import resolve
from models.shipped import SHIPPED
from service.engine.waiting import SMALL_FOR_S

LARGE_S = 6.0  # how long large requests are sent without single texts beside them
PAUSE_S = SMALL_FOR_S + 1  # before that, so that the service no longer waits for single texts
_LARGE = 4  # different large requests, sent over and over


@dataclass(slots=True)
class Seen:
    """By round, in milliseconds or texts a second."""

    idle_p50: list[float] = field(default_factory=list)
    idle_p99: list[float] = field(default_factory=list)
    beside_p50: list[float] = field(default_factory=list)
    beside_p99: list[float] = field(default_factory=list)
    large_alone: list[float] = field(default_factory=list)
    large_beside: list[float] = field(default_factory=list)
    probe_p50: list[float] = field(default_factory=list)
    probe_longest: list[float] = field(default_factory=list)


def main(
    model: Annotated[str, typer.Option(help="Checkpoint: a directory or package:NAME.")] = str(SHIPPED),
    items: Annotated[int, typer.Option(min=1, help="Texts of a large request.")] = 2000,
    singles: Annotated[int, typer.Option(min=10, help="Single texts of a turn.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each load.")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="Of the encoder; 0 is one per core.")] = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a page of the documentation.")] = False,
) -> None:
    """Single texts alone and beside large requests, and large requests alone, in turns."""
    texts = draw(items * _LARGE + singles)
    with running(PLANS["mcse"], resolve(model), threads or usable_cores()) as server:
        seen = measure(server, texts[:singles], texts[singles:], items, rounds)
    show(tables(seen, items), {}, as_markdown=markdown)


def measure(server: Server, singles: Sequence[str], others: Sequence[str], items: int, rounds: int) -> Seen:
    """Every load once in each round."""
    seen = Seen()
    large = bodies(others, items, server.plan.key)
    server.ask(singles[:10], connections=1, size=1)
    for _ in track(range(rounds), "fairness", console=Console(stderr=True)):
        _note(server.ask(singles, connections=1, size=1).latencies, seen.idle_p50, seen.idle_p99)
        with sending(server, large) as taken:
            _note(server.ask(singles, connections=1, size=1).latencies, seen.beside_p50, seen.beside_p99)
        seen.large_beside.append(items * len(taken) / sum(taken))
        time.sleep(PAUSE_S)
        with sending(server, large) as taken, probing(server) as waited:
            time.sleep(LARGE_S)
        seen.large_alone.append(items * len(taken) / sum(taken))
        seen.probe_p50.append(1000 * percentile(waited, 0.5))
        seen.probe_longest.append(1000 * max(waited))
    return seen


def _note(latencies: Sequence[float], p50: list[float], p99: list[float]) -> None:
    p50.append(1000 * percentile(latencies, 0.5))
    p99.append(1000 * percentile(latencies, 0.99))


@contextmanager
def sending(server: Server, large: Sequence[str]) -> Iterator[list[float]]:
    """Send large requests back to back; the list fills with the seconds of each.

    Raises:
        RuntimeError: one was not answered with 200.
    """
    taken: list[float] = []
    done = Event()
    with ThreadPoolExecutor(1) as pool:
        sender = pool.submit(_send, server, large, taken, done)
        try:
            yield taken
        finally:
            done.set()
        sender.result()


def _send(server: Server, large: Sequence[str], taken: list[float], done: Event) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        for body in cycle(large):
            started = time.perf_counter()
            connection.request("POST", server.plan.path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the server answered a large request with {answer.status}")
            taken.append(time.perf_counter() - started)
            if done.is_set():
                return


def tables(seen: Seen, items: int) -> list[Table]:
    """What single texts wait, what large requests reach, and how long the event loop was away."""
    beside = f"beside requests of {items:,} texts"
    waits = (
        ("nothing else", Spread.of(seen.idle_p50).told(), "", Spread.of(seen.idle_p99).told(), ""),
        (
            beside,
            Spread.of(seen.beside_p50).told(),
            paired(seen.beside_p50, seen.idle_p50).told(),
            Spread.of(seen.beside_p99).told(),
            paired(seen.beside_p99, seen.idle_p99).told(),
        ),
    )
    rates = (
        ("alone", Spread.of(seen.large_alone).told(0), ""),
        (
            "beside single texts",
            Spread.of(seen.large_beside).told(0),
            paired(seen.large_beside, seen.large_alone).told(),
        ),
    )
    gaps = (("alone", Spread.of(seen.probe_p50).told(1), Spread.of(seen.probe_longest).told(1)),)
    return [
        Table("Single texts, one after the other", ("", "p50 ms", "of alone", "p99 ms", "of alone"), waits),
        Table(f"Requests of {items:,} texts, back to back", ("", "texts/s", "of alone"), rates),
        Table("A probe of /livez meanwhile", ("large requests", "p50 ms", "longest ms"), gaps),
    ]


if __name__ == "__main__":
    typer.run(main)
