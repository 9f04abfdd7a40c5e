"""How long searches take while points are written, against how long they take without, in turns."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, turns
from benchmarks.search.embedding import shipped
from benchmarks.search.kept import copied, kept
from benchmarks.search.ours import NAME, opened, settle
from benchmarks.search.report import Report
from benchmarks.search.vectors import WIDTH, Corpus, corpus
from benchmarks.search.writes import metadata_of
from models.bench.tables import Table
from models.bench.timing import percentile
from service.search.embedded.collection import StoredCollection
from service.search.points import Point, Search

ROWS_PER_S = 1_000
WRITES_PER_S = 10
PACES = (100, 0)
"""Searches a second; 0 is one after the other without a pause."""
QUIET, WRITTEN = "without writes", f"while {ROWS_PER_S:,} rows a second are written"


@dataclass(slots=True)
class Seen:
    """Under one load, by round."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


Turn = tuple[int, str]


def measure(count: int, seconds: float, rounds: int) -> Report:
    """Search for so many seconds with and without writes beside, in turns."""
    given = corpus(count, 10_000)
    seen: dict[Turn, Seen] = {(pace, load): Seen() for pace in PACES for load in (QUIET, WRITTEN)}
    with copied(kept(count)) as folder, opened(folder, WIDTH, shipped()[0].fingerprint) as collections:
        collection = collections.get(NAME)
        writer = Writer(collection, given, first=count)
        for order in track(list(turns(list(seen), rounds)), description="searches", console=Console(stderr=True)):
            for pace, load in order:
                settle(collection)
                if load == QUIET:
                    taken = _search(collection, given, seconds, pace)
                else:
                    with writer.at_work():
                        taken = _search(collection, given, seconds, pace)
                seen[pace, load].p50_ms.append(1000 * percentile(taken, 0.5))
                seen[pace, load].p99_ms.append(1000 * percentile(taken, 0.99))
    return report(seen, f"{count:,} points, {seconds:g} s a turn, {rounds} rounds")


class Writer:
    """Writes points at a steady pace from a thread of its own."""

    def __init__(self, collection: StoredCollection, given: Corpus, first: int) -> None:
        self._collection = collection
        size = ROWS_PER_S // WRITES_PER_S
        metadata = metadata_of(given.query_texts)
        parts = range(0, len(given.queries) - size + 1, size)
        self._batches = cycle([range(start, start + size) for start in parts])
        self._given = given
        self._metadata = metadata
        self._next = first

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Write until the block ends.

        Raises:
            RuntimeError: the writes did not keep the pace.
        """
        done = threading.Event()
        late: list[float] = []
        thread = threading.Thread(target=self._run, args=(done, late))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        if late and max(late) > 1:
            raise RuntimeError(f"the writes were {max(late):.1f} s late: this machine does not keep the pace")

    def _run(self, done: threading.Event, late: list[float]) -> None:
        due = time.perf_counter()
        while not done.is_set():
            self._write()
            due += 1 / WRITES_PER_S
            late.append(time.perf_counter() - due)
            done.wait(max(0.0, -late[-1]))

    def _write(self) -> None:
        rows = next(self._batches)
        given = self._given
        points = [
            Point(self._next + number, given.queries[row], given.query_texts[row], self._metadata[row])
            for number, row in enumerate(rows)
        ]
        self._next += len(points)
        self._collection.upsert(points)


def _search(collection: StoredCollection, given: Corpus, seconds: float, pace: int) -> list[float]:
    """The seconds of each search."""
    taken: list[float] = []
    begin = time.perf_counter()
    for number, query in enumerate(cycle(given.queries)):
        if pace:
            time.sleep(max(0.0, begin + number / pace - time.perf_counter()))
        started = time.perf_counter()
        if started - begin > seconds:
            break
        collection.search(Search(query[None], with_text=False, with_metadata=False))
        taken.append(time.perf_counter() - started)
    return taken


def report(seen: dict[Turn, Seen], what: str) -> Report:
    """Latencies, and those beside writes over those without in the same round."""
    rows = [
        (
            _pace(pace),
            load,
            *_cells(found.p50_ms, seen[pace, QUIET].p50_ms),
            *_cells(found.p99_ms, seen[pace, QUIET].p99_ms),
        )
        for (pace, load), found in seen.items()
    ]
    header = ("searches", "", "p50 ms", "of that without", "p99 ms", "of that without")
    return Report((Table(f"Searches beside writes: {what}", header, tuple(rows)),), figures(seen), {})


def _pace(pace: int) -> str:
    return f"{pace} a second" if pace else "one after the other"


def _cells(values: Sequence[float], quiet: Sequence[float]) -> tuple[str, str]:
    return Spread.of(values).told(), paired(values, quiet).told()


def figures(seen: dict[Turn, Seen]) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    turns_of = [
        {"searches_a_second": pace, "load": load, "p50_ms": found.p50_ms, "p99_ms": found.p99_ms}
        for (pace, load), found in seen.items()
    ]
    return {"beside_writes": turns_of}
