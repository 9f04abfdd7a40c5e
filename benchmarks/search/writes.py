"""Durable writes of ready vectors: rows a second, with and without texts and metadata."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count as numbers
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, turns
from benchmarks.search.embedding import shipped
from benchmarks.search.kept import copied, kept
from benchmarks.search.ours import BATCH, NAME, create, fill, opened, settle
from benchmarks.search.report import Report
from benchmarks.search.vectors import WIDTH, Corpus, corpus
from models.bench.tables import Table
from service.search.embedded.collection import StoredCollection
from service.search.points import Json

EMPTY, FULL = "empty", "full"
SYNCS = 32  # writes that the disk is tried with


@dataclass(frozen=True, slots=True)
class Form:
    """What is written, and to what."""

    to: str
    text: bool
    metadata: bool

    @property
    def name(self) -> str:
        """In words."""
        more = [what for what, there in (("text", self.text), ("metadata", self.metadata)) if there]
        return " + ".join(["vector", *more])


FORMS = tuple(Form(*each) for each in product((EMPTY, FULL), (False, True), (False, True)))


@dataclass(slots=True)
class Measured:
    """A whole comparison."""

    rates: dict[Form, list[float]] = field(default_factory=dict)
    """Rows a second, by round."""
    sync_ms: list[float] = field(default_factory=list)
    """What the disk takes to keep as many bytes as a write of vectors has, by round."""


def measure(count: int, rows: int, rounds: int) -> Report:
    """Write in each form, in turns, to a new collection and to one of `count` points."""
    given = corpus(count, rows)
    measured = Measured()
    first = numbers(count, rows)
    with copied(kept(count)) as folder, opened(folder, WIDTH, shipped()[0].fingerprint) as collections:
        for order in track(list(turns(FORMS, rounds)), description="writes", console=Console(stderr=True)):
            measured.sync_ms.append(sync_ms(folder))
            for form in order:
                if form.to == EMPTY:
                    seconds = _into_new(folder.parent, given, form)
                else:
                    seconds = _seconds(collections.get(NAME), given, form, next(first))
                measured.rates.setdefault(form, []).append(rows / seconds)
    return report(measured, f"{rows:,} rows, {BATCH} a write, {rounds} rounds", count)


def _into_new(folder: Path, given: Corpus, form: Form) -> float:
    """In a data directory of its own, so that nothing of another one's log is waited for."""
    with TemporaryDirectory(dir=folder) as scratch, opened(Path(scratch), WIDTH) as collections:
        return _seconds(create(collections), given, form, first=0)


def _seconds(collection: StoredCollection, given: Corpus, form: Form, first: int) -> float:
    texts = given.query_texts if form.text else None
    metadata = metadata_of(given.query_texts) if form.metadata else None
    settle(collection)
    started = time.perf_counter()
    fill(collection, given.queries, texts, metadata, first)
    return time.perf_counter() - started


def metadata_of(texts: Sequence[str]) -> list[dict[str, Json]]:
    """Two fields, a number and a word, for each text."""
    return [{"words": text.count(" ") + 1, "begins": text.split(" ", 1)[0]} for text in texts]


def sync_ms(folder: Path) -> float:
    """The median time of an append and a sync of as many bytes as the vectors of a write have."""
    path, content, taken = folder / "sync", bytes(4 * WIDTH * BATCH), []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            file.write(content)
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - started))
    path.unlink()
    return Spread.of(taken).median


def report(measured: Measured, what: str, count: int) -> Report:
    """Rows a second by form."""
    told = {EMPTY: "a new collection", FULL: f"one of {count:,} points"}
    rows = tuple((told[form.to], form.name, Spread.of(rates).told(0)) for form, rates in measured.rates.items())
    notes = {"disk": f"an append of a write's vectors and its sync take {Spread.of(measured.sync_ms).told(1)} ms"}
    return Report((Table(f"Durable upsert: {what}", ("to", "a row", "rows/s"), rows),), figures(measured), notes)


def figures(measured: Measured) -> Mapping[str, Any]:
    """All of it, as JSON takes it."""
    rates = [{"to": form.to, "row": form.name, "rates": rates} for form, rates in measured.rates.items()]
    return {"upserts": rates, "sync_ms": measured.sync_ms}
