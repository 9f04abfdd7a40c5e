"""Upserts of texts through the real server, against the encoder alone in process, in turns."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired
from benchmarks.peers.servers import PLANS, Server, running
from benchmarks.peers.texts import draw
from benchmarks.peers.worker import Worker
from benchmarks.search.report import Report
from models.bench.tables import Table
from models.cores import usable_cores
from models.shipped import SHIPPED

ALONE, EMBED, UPSERT = "the encoder alone", "POST /embed", "POST /index"
CONNECTIONS, SIZE = 4, 128  # as many texts as the service admits at one time

EMBEDS = PLANS["mcse"]
UPSERTS = replace(EMBEDS, path="/index", key="texts")


@dataclass(slots=True)
class Measured:
    """Texts a second, by round."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in (ALONE, EMBED, UPSERT)})


def measure(sentences: int, rounds: int, model: Path = SHIPPED) -> Report:
    """Encode, embed and upsert other sentences in each round."""
    texts = draw(sentences * rounds)
    threads = usable_cores()
    measured = Measured()
    arguments = ["--model", str(model), "--precision", "auto"]
    with (
        running(UPSERTS, model, threads) as server,
        Worker(Path(sys.executable), "mcse_encode", arguments, threads) as alone,
    ):
        alone.ready()
        for number in track(range(rounds), description="texts", console=Console(stderr=True)):
            _round(texts[number * sentences : (number + 1) * sentences], server, alone, measured.rates)
    return report(measured, f"{sentences:,} sentences, {CONNECTIONS} connections x {SIZE}, {rounds} rounds")


def _round(texts: Sequence[str], server: Server, alone: Worker, rates: Mapping[str, list[float]]) -> None:
    for plan, name in ((UPSERTS, UPSERT), (EMBEDS, EMBED)):
        asked = replace(server, plan=plan)
        rates[name].append(len(texts) / asked.ask(texts, connections=CONNECTIONS, size=SIZE).seconds)
    server.pause()
    rates[ALONE].append(len(texts) / alone.seconds(texts))
    server.resume()


def report(measured: Measured, what: str) -> Report:
    """Rates, and ratios to the encoder alone in the same round."""
    rates = measured.rates
    rows = tuple((name, Spread.of(its).told(0), paired(its, rates[ALONE]).told()) for name, its in rates.items())
    return Report((Table(f"Texts: {what}", ("way", "texts/s", "of the encoder alone"), rows),), figures(measured), {})


def figures(measured: Measured) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    return {"texts": measured.rates}
