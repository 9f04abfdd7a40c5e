"""Filtered searches: what they find of an exact search's, and their time over that without a filter, in turns."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, turns
from benchmarks.search.embedding import shipped
from benchmarks.search.kept import ALONG, ANYWHERE, fields, kept
from benchmarks.search.ours import NAME, opened
from benchmarks.search.report import Report
from benchmarks.search.truth import HITS, nearest, recall
from benchmarks.search.vectors import WIDTH, Corpus, Vectors, corpus
from models.bench.tables import Table
from service.search.embedded.collection import StoredCollection
from service.search.filters.model import Filter, Range
from service.search.points import Search

SHARES = (0.001, 0.01, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Case:
    """A filter on a range of a field that a share of the points is in."""

    field: str
    share: float
    fresh: bool
    """Another range for each search; else the same for all."""


CASES = tuple(Case(*each) for each in product((ANYWHERE, ALONG), SHARES, (False, True)))
PLAIN = None  # without a filter
Turn = Case | None


@dataclass(slots=True)
class Measured:
    """A whole comparison."""

    queries: int
    seconds: dict[Turn, list[float]] = field(default_factory=dict)
    """Of all queries, one a call, by round."""
    recalls: dict[Turn, float] = field(default_factory=dict)
    """Of the first round."""


def measure(count: int, queries: int, rounds: int) -> Report:
    """Search with each filter and without one, in turns."""
    given = corpus(count, queries)
    values = fields(given.vectors)
    measured = Measured(queries)
    chance = np.random.default_rng(1)
    with opened(kept(count), WIDTH, shipped()[0].fingerprint) as collections:
        collection = collections.get(NAME)
        every: list[Turn] = [PLAIN, *CASES]
        for order in track(list(turns(every, rounds)), description="rounds", console=Console(stderr=True)):
            for case in order:
                _turn(case, collection, given, values, chance, measured)
    return report(measured, f"{count:,} points, {queries:,} queries, {rounds} rounds")


def _turn(
    case: Turn,
    collection: StoredCollection,
    given: Corpus,
    values: dict[str, NDArray[np.float64]],
    chance: np.random.Generator,
    measured: Measured,
) -> None:
    ranges = list(_ranges(case, len(given.queries), chance))
    searches = [
        Search(query[None], limit=HITS, filter=its, with_text=False, with_metadata=False)
        for query, its in zip(given.queries, (_filter(case, start) for start in ranges), strict=True)
    ]
    collection.search(searches[0])  # the repeated filter is known from here on
    started = time.perf_counter()
    found = [collection.search(search) for search in searches]
    measured.seconds.setdefault(case, []).append(time.perf_counter() - started)
    if case not in measured.recalls:
        ids = [[int(hit.id) for hit in hits[0]] for hits in found]
        measured.recalls[case] = recall(ids, _truth(case, ranges, given, values))


def _ranges(case: Turn, count: int, chance: np.random.Generator) -> Iterator[float]:
    """Where the range of each search starts."""
    share = 0.0 if case is PLAIN else case.share
    always = chance.uniform(0, 1 - share)
    for _ in range(count):
        yield chance.uniform(0, 1 - share) if case is not PLAIN and case.fresh else always


def _filter(case: Turn, start: float) -> Filter | None:
    return None if case is PLAIN else Filter(must=(Range(case.field, gte=start, lt=start + case.share),))


def _truth(
    case: Turn, starts: Sequence[float], given: Corpus, values: dict[str, NDArray[np.float64]]
) -> NDArray[np.int64]:
    if case is PLAIN:
        return nearest(given.queries, given.vectors)
    return np.concatenate(
        [
            _nearest_in_range(query[None], given.vectors, values[case.field], start, case.share)
            for query, start in zip(given.queries, starts, strict=True)
        ]
    )


def _nearest_in_range(
    query: Vectors, vectors: Vectors, values: NDArray[np.float64], start: float, share: float
) -> NDArray[np.int64]:
    inside = np.flatnonzero((values >= start) & (values < start + share))
    return inside[nearest(query, vectors[inside])]


def report(measured: Measured, what: str) -> Report:
    """Recall, time, and time over that without a filter in the same round."""
    rows = tuple((*_named(case), f"{measured.recalls[case]:.4f}", *_times(measured, case)) for case in measured.seconds)
    header = ("field", "points let through", "filter", "recall@10", "ms a search", "of that without")
    return Report((Table(f"Filtered, one query a call: {what}", header, rows),), figures(measured), {})


def _named(case: Turn) -> tuple[str, str, str]:
    if case is PLAIN:
        return ("", "all", "none")
    return (case.field, f"{case.share:.1%}", "each time another" if case.fresh else "the same")


def _times(measured: Measured, case: Turn) -> tuple[str, str]:
    seconds = measured.seconds[case]
    each = Spread.of([1000 * value / measured.queries for value in seconds])
    return each.told(), paired(seconds, measured.seconds[PLAIN]).told()


def figures(measured: Measured) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    cases = [
        {
            **({} if case is PLAIN else asdict(case)),
            "recall": measured.recalls[case],
            "seconds_of_all_queries": seconds,
        }
        for case, seconds in measured.seconds.items()
    ]
    return {"queries": measured.queries, "cases": cases}
