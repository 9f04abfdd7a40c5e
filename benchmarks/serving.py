"""What an operator meets: time to ready, memory that stays level, mixed lengths, and whether it answers under load.

    python -m benchmarks.serving [--model models/checkpoints/mcse-minilm-l6] [--sentences 100000] [--rounds 5]

The service runs in a process of its own, and so does the client. Sentences are drawn by a seed from the Wikipedia file
in MCSE_DATA; texts of an exact length are made of common words.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, show
from benchmarks.peers.servers import PLANS, Plan, Server, running
from benchmarks.peers.texts import draw, of_lengths
from benchmarks.probe import probe
from models.bench.tables import Table
from models.bench.timing import percentile
from models.cores import usable_cores
from models.resolve import resolve
from models.shipped import SHIPPED

OURS: Plan = PLANS["mcse"]
SHORTEST, LONGEST = 5, 250  # tokens, of the mixed stream
_CONNECTIONS, _SIZE = 8, 32
_PARTS = 10  # of the long run: memory is read after each
_DISTINCT = 8192  # sentences of the long run, sent over and over


def main(
    model: Annotated[str, typer.Option(help="Checkpoint: a directory or package:NAME.")] = str(SHIPPED),
    sentences: Annotated[int, typer.Option(min=320, help="Of the long run, in which memory is watched.")] = 100_000,
    mixed: Annotated[int, typer.Option(min=32, help="Texts of each stream of mixed and of equal lengths.")] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="Starts, and turns of the two streams.")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="Of the encoder; 0 is one per core.")] = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a page of the documentation.")] = False,
) -> None:
    """Start it, load it, watch it."""
    directory = resolve(model)
    count = threads or usable_cores()
    console = Console(stderr=True)
    starts = [start_seconds(directory, count) for _ in track(range(rounds + 1), "starting", console=console)]
    with running(OURS, directory, count) as server:
        tables = [
            _start_table(starts[1:]),  # the first fills the disk cache
            lengths_table(server, mixed, rounds, console),
            long_run_table(server, sentences, console),
        ]
    show(tables, {}, as_markdown=markdown)


def start_seconds(model: Path, threads: int) -> float:
    """From the start of the process until it accepts connections, which is when a first text has been embedded."""
    with running(OURS, model, threads) as server:
        return server.start_s


def _start_table(starts: Sequence[float]) -> Table:
    return Table("From the start of the process to ready", ("", "seconds"), (("warm", Spread.of(starts).told()),))


def lengths_table(server: Server, count: int, rounds: int, console: Console) -> Table:
    """A stream of mixed lengths against one of equal total tokens at one length, in turns."""
    chance = random.Random(1)  # noqa: S311 (nothing secret)
    lengths = [chance.randint(SHORTEST, LONGEST) for _ in range(count)]
    mean = round(sum(lengths) / count)
    streams = {"mixed": of_lengths(lengths), "equal": of_lengths([mean] * count)}
    tokens = {"mixed": sum(lengths), "equal": mean * count}
    rates: dict[str, list[float]] = {name: [] for name in streams}
    for _ in track(range(rounds), "lengths", console=console):
        for name, texts in streams.items():
            outcome = server.ask(texts, connections=_CONNECTIONS, size=_SIZE)
            rates[name].append(tokens[name] / outcome.seconds)
    rows = (
        (f"all of {mean} tokens", f"{Spread.of(rates['equal']).median:,.0f}", ""),
        (
            f"{SHORTEST} to {LONGEST} tokens, mixed",
            f"{Spread.of(rates['mixed']).median:,.0f}",
            paired(rates["mixed"], rates["equal"]).told(),
        ),
    )
    return Table(f"Mixed lengths, {_CONNECTIONS} connections x {_SIZE}", ("stream", "tokens/s", "ratio"), rows)


def long_run_table(server: Server, count: int, console: Console) -> Table:
    """Memory after each part of a long run, and how long a health probe waited meanwhile."""
    texts = draw(min(count, _DISTINCT))
    part = list(islice(cycle(texts), count // _PARTS))
    rows = [("0", f"{resident_mb(server.pid):,.0f}", "", "", "")]
    for number in track(range(1, _PARTS + 1), "long run", console=console):
        with probing(server) as waited:
            outcome = server.ask(part, connections=_CONNECTIONS, size=_SIZE)
        p50, longest = (f"{1000 * value:.1f}" for value in (percentile(waited, 0.5), max(waited)))
        memory, rate = f"{resident_mb(server.pid):,.0f}", f"{len(part) / outcome.seconds:,.0f}"
        rows.append((f"{number * len(part):,}", memory, rate, p50, longest))
    header = ("sentences so far", "resident MB", "sentences/s", "/livez p50 ms", "/livez longest ms")
    return Table(f"A long run, {_CONNECTIONS} connections x {_SIZE}", header, tuple(rows))


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, from Linux's own books."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{pid}/status: no line VmRSS in it; is this Linux?")


@contextmanager
def probing(server: Server) -> Iterator[list[float]]:
    """Ask `/livez` all the time on a thread of its own; the list fills with seconds."""
    waited: list[float] = []
    done = threading.Event()
    thread = threading.Thread(target=probe, args=(server.port, waited, done))
    thread.start()
    try:
        yield waited
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    typer.run(main)
