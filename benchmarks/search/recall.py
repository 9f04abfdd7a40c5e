"""Searches a second at a given recall: our collections beside hnswlib and USearch used directly, in turns."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, turns
from benchmarks.search.report import Report
from benchmarks.search.truth import HITS, nearest, recall
from benchmarks.search.vectors import Corpus, corpus
from benchmarks.search.worker import Built, Way, Worker
from models.bench.tables import Table

TARGETS = (0.95, 0.99)
BROADEST = 1024  # what no better recall is looked for above
BATCH = 100  # queries a call, where it is not one

WAYS: Mapping[str, Way] = {
    "hnswlib float32": Way("hnswlib", "hnswlib_graph", "float32"),
    "usearch float32": Way("usearch", "usearch_graph", "f32"),
    "usearch bfloat16": Way("usearch", "usearch_graph", "bf16"),
    "usearch int8": Way("usearch", "usearch_graph", "i8"),
    "mcse": Way(None, "collection", "float32"),
    "mcse, storage int8": Way(None, "collection", "int8"),
}
OURS = "mcse"
TOLD = ", with text and metadata"  # after the name of a way of ours
OWN = tuple(name for name, way in WAYS.items() if way.environment is None)
SEARCHERS = (*WAYS, OURS + TOLD)


@dataclass(frozen=True, slots=True)
class Form:
    """How is searched."""

    size: int
    """Queries a call."""
    threads: int

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.size} a call, {self.threads} thread{'s' * (self.threads > 1)}"


FORMS = tuple(Form(size, threads) for threads in (1, 2) for size in (1, BATCH))

Cell = tuple[str, float, Form]
"""A searcher, the recall it must have, and the form."""


@dataclass(slots=True)
class Measured:
    """A whole comparison."""

    built: dict[str, Built]
    breadths: dict[tuple[str, float], tuple[int, float] | None]
    """By way and wanted recall: the least breadth that has it, and what it has; None where none has."""
    rates: dict[Cell, list[float]] = field(default_factory=dict)
    """Searches a second, by round."""


def measure(count: int, queries: int, rounds: int) -> Report:
    """Build all, find the breadths, and let them take turns.

    Raises:
        RuntimeError: an environment could not be made, or a way failed.
    """
    console = Console(stderr=True)
    given = corpus(count, queries)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        hand_over(given, Path(folder))
        truth = nearest(given.queries, given.vectors)
        workers = {name: stack.enter_context(Worker(way, Path(folder), 2)) for name, way in WAYS.items()}
        measured = Measured({}, {})
        for name, worker in workers.items():
            console.print(f"building {name}")
            measured.built[name] = worker.build(threads=2)
            for target in TARGETS:
                measured.breadths[name, target] = _breadth(worker, target, truth)
        for order in track(list(turns(SEARCHERS, rounds)), description="rounds", console=console):
            _round(order, workers, measured, queries)
    return report(measured, f"{count:,} points, {queries:,} queries, {rounds} rounds")


def hand_over(given: Corpus, folder: Path) -> None:
    """Write what the workers read."""
    np.save(folder / "base.npy", given.vectors)
    np.save(folder / "queries.npy", given.queries)
    (folder / "texts.json").write_text(json.dumps(given.texts), encoding="utf-8")


def _breadth(worker: Worker, target: float, truth: np.ndarray) -> tuple[int, float] | None:
    recalls: dict[int, float] = {}

    def reached(breadth: int) -> bool:
        recalls[breadth] = recall(worker.found(breadth, BATCH), truth)
        return recalls[breadth] >= target

    found = least(reached, HITS, BROADEST)
    return None if found is None else (found, recalls[found])


def least(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least number from `low` to `high` for which something holds that holds for all greater ones too."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high if holds(high) else None  # asked last, so that what is known of it is kept


def _round(order: Sequence[str], workers: Mapping[str, Worker], measured: Measured, queries: int) -> None:
    for form in FORMS:
        for target in TARGETS:
            for name in order:
                way = name.removesuffix(TOLD)
                if (breadth := measured.breadths[way, target]) is None:
                    continue
                seconds = workers[way].seconds(
                    breadth=breadth[0], size=form.size, threads=form.threads, told=name.endswith(TOLD)
                )
                measured.rates.setdefault((name, target, form), []).append(queries / seconds)


def report(measured: Measured, what: str) -> Report:
    """Tables of the ratios to the best peer, of all rates, and of what building took."""
    return Report(
        (_ratio_table(measured, what), _rate_table(measured), _build_table(measured)),
        figures(measured),
        {"ratio": f"of {OURS} to the peer that is best in the row, round by round"},
    )


def against_best(measured: Measured, target: float, form: Form) -> tuple[str, Spread]:
    """The best peer, and our rates over its."""
    peers = {
        name: rates
        for name in WAYS
        if name not in OWN and (rates := measured.rates.get((name, target, form))) is not None
    }
    best = max(peers, key=lambda name: Spread.of(peers[name]).median)
    return best, paired(measured.rates[OURS, target, form], peers[best])


def _ratio_table(measured: Measured, what: str) -> Table:
    rows = []
    for form in FORMS:
        for target in TARGETS:
            best, ratio = against_best(measured, target, form)
            rows.append((form.name, f"{target}", best, ratio.told()))
    return Table(f"{OURS} over the best peer: {what}", ("queries", "recall@10", "best peer", "ratio"), tuple(rows))


def _rate_table(measured: Measured) -> Table:
    rows = tuple(
        (form.name, f"{target}", name, Spread.of(rates).told(0)) for (name, target, form), rates in _sorted(measured)
    )
    return Table("Searches a second", ("queries", "recall@10", "way", "searches/s"), rows)


def _sorted(measured: Measured) -> list[tuple[Cell, list[float]]]:
    cells = [(name, target, form) for form in FORMS for target in TARGETS for name in SEARCHERS]
    return [(cell, measured.rates[cell]) for cell in cells if cell in measured.rates]


def _build_table(measured: Measured) -> Table:
    header = ("way", "build s, 2 threads", "memory MB", *(f"breadth, recall at {target}" for target in TARGETS))
    rows = []
    for name, built in measured.built.items():
        breadths = [measured.breadths[name, target] for target in TARGETS]
        told = ["never" if breadth is None else f"{breadth[0]}, {breadth[1]:.4f}" for breadth in breadths]
        rows.append((name, f"{built.seconds:,.1f}", f"{built.memory_mb:,.0f}", *told))
    return Table("Building the index; ours is durable, with texts and metadata", header, tuple(rows))


def figures(measured: Measured) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    rates = [
        {"way": name, "recall": target, "queries_a_call": form.size, "threads": form.threads, "rates": rates}
        for (name, target, form), rates in _sorted(measured)
    ]
    breadths = [
        {"way": name, "recall": target, "breadth": found and found[0], "reached": found and found[1]}
        for (name, target), found in measured.breadths.items()
    ]
    return {
        "rates": rates,
        "breadths": breadths,
        "built": {name: asdict(built) for name, built in measured.built.items()},
    }
