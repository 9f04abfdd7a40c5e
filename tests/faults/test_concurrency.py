"""Searches beside writes, rebuilds and snapshots: no crash, and never a wrong answer.

TEST_SECONDS sets how long each kind of index is kept busy; what is written follows from a seed, TEST_SEED.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from service.search.embedded.collection import StoredCollection
from service.search.filters.model import Filter, MatchAny
from service.search.points import Hit, IndexKind, Metadata, Point, Search, Storage
from tests.faults.drawn import WIDTH, Vectors, draw_vector
from tests.faults.knobs import SEED, number, tell
from tests.faults.oracle import Oracle, require_same_points
from tests.faults.thresholds import KINDS, lower_thresholds
from tests.faults.workload import apply, note, writes
from tests.faults.writer import open_data

SECONDS = number("TEST_SECONDS", 2)
SEARCHERS = 4
RESTORED = 10  # one of so many snapshots, because writes wait for it
PINNED = 100
PASSED_OVER = 0.01  # of the searches for pinned points, which are far from all others, where the index is approximate
LENGTH = (
    6.0  # of the pinned vectors; those that are written are shorter, so that each pinned one is the best for itself
)
PIN: Metadata = {"pinned": True}

pytestmark = pytest.mark.timeout(3600)


def pinned_vectors() -> Vectors:
    """PINNED vectors of one length, each the nearest to itself whatever else is written."""
    vectors = np.random.default_rng(SEED).standard_normal((PINNED, WIDTH))
    vectors *= LENGTH / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


class Busy:
    """Threads that do their work again and again, until they are stopped or one of them fails."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, work: Callable[[], None]) -> None:
        """One more thread."""
        self._threads.append(threading.Thread(target=self._run, args=(name, work)))

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of them."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                work()
                self.done[name] += 1
        except BaseException as error:
            self.errors.append(error)
            self._stopping.set()


def searching(
    real: StoredCollection, pinned: Vectors, draw: random.Random, probes: Counter[bool]
) -> Callable[[], None]:
    """Ask for some pinned points, and for anything; `probes` counts the pinned ones that were found and were not."""

    def for_pinned() -> None:
        chosen = draw.sample(range(PINNED), draw.choice([1, 4]))
        exact = draw.random() < 0.2 or real.contents.index.kind == "flat"
        search = Search(queries=pinned[chosen], limit=draw.choice([1, 10]), with_vector=True, exact=exact)
        for one, hits in zip(chosen, real.search(search), strict=True):
            is_found = hits[0].id == f"pin {one}"
            assert is_found or not exact, [hit.id for hit in hits]
            probes[is_found] += 1
            require_true(hits, pinned[one])

    def for_anything() -> None:
        query = draw_vector(draw)
        of = Filter(must_not=(MatchAny("pinned", (True,)),)) if draw.random() < 0.5 else None
        [hits] = real.search(Search(queries=query[None], limit=20, filter=of, with_vector=True))
        require_true(hits, query)
        assert of is None or not any(str(hit.id).startswith("pin") for hit in hits)

    return lambda: draw.choice([for_pinned, for_anything])()


def require_true(hits: list[Hit], query: Vectors) -> None:
    """Every hit has the score of its own vector, and its text and metadata are of the write that its vector is of."""
    assert len({hit.id for hit in hits}) == len(hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert hit.vector is not None
        assert hit.metadata is not None
        assert hit.score == pytest.approx(float(query @ hit.vector), rel=1e-5, abs=1e-4)
        if hit.metadata != PIN:
            version = hit.metadata["of"]
            assert hit.text == f"written {version}"
            np.testing.assert_array_equal(hit.vector, draw_vector(random.Random(f"{hit.id} {version}")))


@pytest.mark.parametrize(("index", "storage"), KINDS)
def test_searches_beside_everything_else_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexKind, storage: Storage
) -> None:
    lower_thresholds(monkeypatch.setattr)
    pinned, oracle, busy = pinned_vectors(), Oracle("dot"), Busy()
    probes: Counter[bool] = Counter()
    with closing(open_data(tmp_path)) as collections:
        real = collections.create("busy", space="s", metric="dot", index=index, storage=storage)
        points = [Point(f"pin {one}", vector, None, PIN) for one, vector in enumerate(pinned)]
        real.upsert(points)
        oracle.upsert(points)
        following = writes(f"{SEED}")

        def write() -> None:
            one = next(following)
            apply(one, real)
            note(one, oracle)

        def snapshot() -> None:
            info = real.create_snapshot()
            if busy.done["snapshots"] % RESTORED == 0:
                restored = collections.restore("copy", real.snapshot_path(info.name), replace=True)
                assert restored.count() == info.count
            real.delete_snapshot(info.name)

        for one in range(SEARCHERS):
            busy.add("searches", searching(real, pinned, random.Random(f"{SEED} {one}"), probes))
        busy.add("writes", write)
        busy.add("snapshots", snapshot)
        with busy.running():
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not busy.errors:
                time.sleep(0.05)
        assert not busy.errors, busy.errors
        require_same_points(real.scroll(limit=10**6).points, [*oracle.points], oracle)
        assert collections.verify() == []
        generation = real.contents.view.generation
    tell(
        f"{index} {storage}, {SECONDS} s: {dict(busy.done)}, {generation} rebuilds, none wrong,"
        f" {probes[False]} of {probes.total()} pinned points passed over by an approximate index"
    )
    assert probes[False] <= PASSED_OVER * probes.total()
    assert all(busy.done[name] > SECONDS for name in ("searches", "writes"))
