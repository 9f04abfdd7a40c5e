"""A driver of the search room: one random thing after the other, each compared with a dictionary and NumPy.

Everything is drawn from one seed, and nothing runs beside anything else, so that a failure comes back with its seed.
What the caretaker's thread would do, the driver does itself; writes that would meet it halfway are made from within.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import Conflict, InvalidInput, NotFound
from service.search.embedded import index_file, tending
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.opening import index_path
from service.search.points import IndexKind, Metric, OnConflict, Point, PointId, Search, Selection, Storage, Upserted
from tests.faults.drawn import WIDTH, LetsThrough, Vectors, draw_filter, draw_metadata, draw_text, draw_vector
from tests.faults.oracle import (
    Oracle,
    recall_of,
    require_hits_exact,
    require_hits_true,
    require_same_points,
)

MAIN = "main"
POOL: tuple[PointId, ...] = (*range(200), *map(str, range(200)))
SIZES = (300, 40, 200, 0, 100)  # that the collection tends to
SIZE_HOLDS = 75  # operations
NAMES = (MAIN, "second", "third", "fourth")
MOST_SNAPSHOTS = 3
ALIASES = ("now", "next")

WEIGHTS = {
    "upsert": 20,
    "delete": 8,
    "delete_by_filter": 1,
    "set_metadata": 4,
    "delete_metadata": 2,
    "refused": 2,
    "get": 6,
    "count": 4,
    "scroll": 4,
    "search": 40,
    "words": 4,
    "groups": 2,
    "tend": 12,
    "tend_interrupted": 3,
    "snapshot": 1,
    "restore": 1,
    "drop": 0.5,
    "alias": 2,
    "reopen": 1,
    "kill": 1,
    "kill_while_keeping": 0.5,
    "lose_index": 0.3,
}


@dataclass
class Seen:
    """What happened, so that a test can tell whether it proved anything."""

    operations: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    recalls: list[float] = field(default_factory=list)
    rebuilt: int = 0
    believed: int = 0
    """Index files that an opening took."""


class Driver:
    """Collections of one kind of index in `folder`, and for each what it should hold."""

    def __init__(self, seed: int | str, folder: Path, index: IndexKind, storage: Storage) -> None:
        self.draw = random.Random(seed)
        self.seen = Seen()
        self._folder = folder
        self._index, self._storage = index, storage
        self._lives = 0
        self._size = 100
        self._oracles: dict[str, Oracle] = {}
        self._aliases: dict[str, str] = {}
        self._snapshots: list[tuple[Path, Oracle]] = []
        self._name = MAIN
        self._path = folder / "0"
        self._collections = self._open()
        self._create(MAIN, "dot")

    def run(self, operations: int) -> None:
        """Do so many things; stops at the first wrong answer."""
        for number in range(operations):
            if number % SIZE_HOLDS == 0:
                self._size = SIZES[number // SIZE_HOLDS % len(SIZES)]
            self._name = MAIN if self.draw.random() < 0.85 else self.draw.choice([*self._oracles])
            [operation] = self.draw.choices([*WEIGHTS], [*WEIGHTS.values()])
            self.seen.operations[operation] += 1
            try:
                getattr(self, f"_{operation}")()
                assert self._collections.verify() == []
            except Exception as error:
                raise AssertionError(f"operation {number}, {operation} on {self._name}: {error!r}") from error

    def close(self) -> None:
        """End, after a last look at everything."""
        for name, oracle in self._oracles.items():
            self._require_all(self._collections.get(name), oracle)
        self._collections.close()

    @property
    def _oracle(self) -> Oracle:
        return self._oracles[self._name]

    @property
    def _real(self) -> StoredCollection:
        """The collection, found by its name or by an alias of it."""
        names = [self._name, *(alias for alias, name in self._aliases.items() if name == self._name)]
        return self._collections.get(self.draw.choice(names))

    # Writing

    def _upsert(self) -> None:
        growing = len(self._oracle.points) < self._size
        points = self._points(self.draw.randint(1, 40 if growing else 4))
        on_conflict: OnConflict = self.draw.choice(["replace", "replace", "skip", "error"])
        there = [point.id for point in points if point.id in self._oracle.points]
        if there and on_conflict == "error":
            with pytest.raises(Conflict):
                self._real.upsert(points, on_conflict)
            return
        done = self._real.upsert(points, on_conflict)
        skipped = len(there) if on_conflict == "skip" else 0
        ids = tuple(point.id for point in points)
        assert done == Upserted(ids, len(points) - len(there), len(there) - skipped, skipped)
        self._oracle.upsert(point for point in points if not skipped or point.id not in there)

    def _delete(self) -> None:
        shrinking = len(self._oracle.points) > self._size
        ids = self.draw.choices(POOL, k=self.draw.randint(1, 80 if shrinking else 6))
        assert self._real.delete(Selection(ids=ids)) == self._oracle.delete(ids)

    def _delete_by_filter(self) -> None:
        selection, ids = self._selection(by_filter=True)
        assert self._real.delete(selection) == len(ids)
        self._oracle.delete(ids)

    def _set_metadata(self) -> None:
        selection, ids = self._selection()
        fields = draw_metadata(self.draw) or {}
        assert self._real.set_metadata(selection, fields) == len(ids)
        self._oracle.change_metadata(ids, lambda before: {**before, **fields})

    def _delete_metadata(self) -> None:
        selection, ids = self._selection()
        keys = self.draw.sample(["n", "colour", "tags", "deep", "missing"], 2)
        assert self._real.delete_metadata(selection, keys) == len(ids)
        self._oracle.change_metadata(ids, lambda before: {k: v for k, v in before.items() if k not in keys})

    def _refused(self) -> None:
        """Writes and searches that break a rule leave no trace."""
        [good, bad] = self._points(2)
        wrong = self.draw.choice(
            [
                replace(bad, vector=np.full(WIDTH, np.nan, np.float32)),
                replace(bad, vector=bad.vector[1:]),
                replace(bad, id=good.id),
                replace(bad, text="\ud800"),
                replace(bad, metadata={"n": float("nan"), "bad": "\ud800"}),
            ]
        )
        with pytest.raises(InvalidInput):
            self._real.upsert([good, wrong])
        with pytest.raises(InvalidInput):
            self._real.search(Search(queries=bad.vector[None], limit=0))
        with pytest.raises(InvalidInput):
            self._real.scroll(limit=5, cursor="bm90IG91cnM")

    # Reading

    def _get(self) -> None:
        ids = self.draw.choices(POOL, k=8)
        require_same_points(self._real.get(ids), [one for one in ids if one in self._oracle.points], self._oracle)

    def _count(self) -> None:
        selection, ids = self._selection()
        assert self._real.count(selection) == len(ids)
        assert self._real.count() == self._real.info().count == len(self._oracle.points)

    def _scroll(self) -> None:
        """Page by page, with a write between two of them now and then."""
        chosen, lets_through = self._filter() if self.draw.random() < 0.5 else (None, _everything)
        limit, after, cursor = self.draw.choice([1, 7, 50, 1000]), 0, None
        for _ in range(6):
            page = self._real.scroll(limit=limit, cursor=cursor, selection=chosen and Selection(filter=chosen))
            expected = self._oracle.after(after, lets_through)
            require_same_points(page.points, expected[:limit], self._oracle)
            assert (page.next_cursor is not None) is (len(expected) > limit)
            if page.next_cursor is None:
                return
            after, cursor = self._oracle.points[expected[limit - 1]].number, page.next_cursor
            if self.draw.random() < 0.2:
                self._upsert()

    def _search(self) -> None:
        queries = np.stack([self._query() for _ in range(self.draw.choice([1, 1, 1, 3]))])
        search, lets_through = self._drawn_search(queries)
        answers = self._real.search(search)
        kind = self._real.contents.index.kind
        self.seen.kinds[kind] += 1
        for query, hits in zip(queries, answers, strict=True):
            ranked = self._oracle.ranked(query, search, lets_through)
            expected = ranked[search.offset : search.offset + search.limit]
            require_hits_true(hits, ranked, self._oracle, search)
            if search.exact or kind == "flat":
                require_hits_exact(hits, expected, self._oracle.tolerance)
            else:
                self.seen.recalls.append(recall_of(hits, expected, self._oracle.tolerance))

    def _words(self) -> None:
        """By words, and by both: what is found is there, may be found, and has one of the words."""
        word = self.draw.choice(["cat", "dog", "grass"])
        chosen, lets_through = self._filter() if self.draw.random() < 0.4 else (None, _everything)
        ids = [
            one for one in self._oracle.selected(lets_through) if word in (self._oracle.points[one].text or "").split()
        ]
        search = Search(words=(word,), mode="lexical", limit=len(POOL), filter=chosen)
        [hits] = self._real.search(search)
        assert sorted(map(repr, ids)) == sorted(repr(hit.id) for hit in hits)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        query = self._query()
        both = replace(search, mode="hybrid", queries=query[None], limit=20)
        scores = {one.id: one.score for one in self._oracle.ranked(query, both, lets_through)}
        [hits] = self._real.search(both)
        assert len({hit.id for hit in hits}) == len(hits) == min(20, len(scores)) or not self._is_exact()
        for hit in hits:
            assert hit.dense_score is None or abs(hit.dense_score - scores[hit.id]) <= self._oracle.tolerance
            assert hit.lexical_score is None or hit.id in ids

    def _groups(self) -> None:
        """The first of every group is the best point that has its value, and groups are in the order of these."""
        query, by = self._query(), self.draw.choice(["n", "colour", "tags"])
        search = Search(queries=query[None], limit=self.draw.choice([1, 3, 20]), exact=True)
        [groups] = self._real.search_groups(search, by=by, size=2)
        expected: dict[Any, float] = {}
        for one in self._oracle.ranked(query, search, _everything):
            values = (self._oracle.points[one.id].metadata or {}).get(by)
            for value in values if isinstance(values, list) else [values]:
                if value is not None:
                    expected.setdefault(value, one.score)
        best = [*expected.values()][: search.limit]
        assert [group.hits[0].score for group in groups] == pytest.approx(best, abs=self._oracle.tolerance)
        for group in groups:
            assert len(group.hits) <= 2
            assert group.hits[0].score == pytest.approx(expected[group.value], abs=self._oracle.tolerance)

    # The index

    def _tend(self) -> None:
        for _ in range(self.draw.choice([1, 3, 100])):
            before = self._real.contents.view.generation
            worked = tending.tend(self._real)
            self.seen.rebuilt += self._real.contents.view.generation > before
            if not worked:
                break
        self._require_report()

    def _tend_interrupted(self) -> None:
        """Writes and searches come between the steps of the work, which may be stopped in the middle of it."""
        steps_left = self.draw.randint(1, 12)

        def stopping() -> bool:
            nonlocal steps_left
            steps_left -= 1
            if self.draw.random() < 0.7:
                self.draw.choice([self._upsert, self._delete, self._set_metadata, self._search])()
            return steps_left <= 0

        for _ in range(3):
            before = self._real.contents.view.generation
            tending.tend(self._real, stopping)
            self.seen.rebuilt += self._real.contents.view.generation > before

    # Everything at once

    def _snapshot(self) -> None:
        real = self._real
        info = real.create_snapshot()
        assert info.count == len(self._oracle.points)
        assert info in real.snapshots()
        kept = self._folder / info.name
        shutil.copy(real.snapshot_path(info.name), kept)
        if self.draw.random() < 0.7:
            real.delete_snapshot(info.name)
            assert info not in real.snapshots()
        self._snapshots.append((kept, self._oracle.copy()))
        if len(self._snapshots) > MOST_SNAPSHOTS:
            self._snapshots.pop(0)[0].unlink()

    def _restore(self) -> None:
        """Under another name, or in the place of a collection, whose aliases it then has."""
        if not self._snapshots:
            return
        file, oracle = self.draw.choice(self._snapshots)
        name = self.draw.choice(NAMES[:3])
        old = self._collections.get(name) if name in self._oracles else None
        if old:
            with pytest.raises(Conflict):
                self._collections.restore(name, file)
        real = self._collections.restore(name, file, replace=True)
        if old:
            with pytest.raises(NotFound):
                old.count()
        self._oracles[name] = oracle.copy()
        self._require_all(real, self._oracles[name])

    def _drop(self) -> None:
        """Drop one, and make another; the main one is always there."""
        name = self.draw.choice([*self._oracles])
        assert self._collections.drop(name) == len(self._oracles.pop(name).points)
        self._aliases = {alias: of for alias, of in self._aliases.items() if of != name}
        free = [one for one in NAMES if one not in self._oracles]
        self._create(MAIN if MAIN in free else self.draw.choice(free), self.draw.choice(["dot", "cosine"]))

    def _alias(self) -> None:
        alias = self.draw.choice(ALIASES)
        if alias in self._aliases and self.draw.random() < 0.3:
            self._collections.delete_alias(alias)
            del self._aliases[alias]
        else:
            assert self._collections.set_alias(alias, self._name) == self._aliases.get(alias)
            self._aliases[alias] = self._name
        assert self._collections.aliases() == self._aliases

    # Ends and beginnings

    def _reopen(self) -> None:
        self._collections.close()
        self._collections = self._open()
        self._require_opened()

    def _kill(self) -> None:
        """Go on with copies of the files as they are while they are open: what is left after kill -9."""
        self._lives += 1
        old, self._path = self._path, self._folder / str(self._lives)
        shutil.copytree(old, self._path, ignore=shutil.ignore_patterns("*-shm"))
        self._collections.close()
        shutil.rmtree(old)
        self._collections = self._open()
        self._require_opened()

    def _kill_while_keeping(self) -> None:
        """The index file is whole, and the store does not know of it yet."""
        for name in self._oracles:
            real = self._collections.get(name)
            if real.contents.index.kind != "flat":
                index_file.write(index_path(real), real.contents, real.static_info)
        self._kill()

    def _lose_index(self) -> None:
        self._collections.close()
        for file in self._path.glob("indexes/*"):
            file.unlink()
        self._collections = self._open()
        self._require_opened()

    # What they share

    def _open(self) -> Collections:
        opened = Collections.open(
            self._path, fingerprint="f" * 64, dimensions={"s": WIDTH}, max_points=10_000, tended=False
        )
        self.seen.believed += sum(opened.get(name).unverified for name in self._oracles)
        return opened

    def _create(self, name: str, metric: Metric) -> None:
        self._collections.create(name, space="s", metric=metric, index=self._index, storage=self._storage)
        self._oracles[name] = Oracle(metric)

    def _require_opened(self) -> None:
        assert self._collections.aliases() == self._aliases
        assert {info.name: info.count for info in self._collections.list()} == {
            name: len(oracle.points) for name, oracle in self._oracles.items()
        }
        self._require_all(self._real, self._oracle)

    def _require_all(self, real: StoredCollection, oracle: Oracle) -> None:
        """Every point is as it should be, and an exact search says so too."""
        page = real.scroll(limit=10_000)
        require_same_points(page.points, [*oracle.points], oracle)
        query = draw_vector(self.draw)
        search = Search(queries=query[None], limit=10_000, exact=True, with_text=False, with_metadata=False)
        [hits] = real.search(search)
        require_hits_exact(hits, oracle.ranked(query, search, _everything), oracle.tolerance)

    def _require_report(self) -> None:
        report = self._real.report(measure=self.draw.random() < 0.1)
        assert report.kind == self._real.contents.index.kind
        assert 0 <= report.deleted_share <= 1
        assert report.recall is None or 0 <= report.recall <= 1

    def _is_exact(self) -> bool:
        return self._real.contents.index.kind == "flat"

    def _points(self, count: int) -> list[Point]:
        ids = self.draw.sample(POOL, count)
        return [Point(one, self._query(), draw_text(self.draw), draw_metadata(self.draw)) for one in ids]

    def _query(self) -> Vectors:
        """A new vector, or that of a point."""
        if self._oracle.points and self.draw.random() < 0.2:
            return self._oracle.points[self.draw.choice([*self._oracle.points])].vector
        return draw_vector(self.draw)

    def _filter(self) -> tuple[Any, LetsThrough]:
        return draw_filter(self.draw, [*POOL])

    def _selection(self, *, by_filter: bool = False) -> tuple[Selection, list[PointId]]:
        """Some points by their ids, or by a filter, and which ones there are; never very many."""
        if not by_filter and self.draw.random() < 0.5:
            ids = self.draw.choices(POOL, k=self.draw.randint(1, 6))
            return Selection(ids=ids), [one for one in dict.fromkeys(ids) if one in self._oracle.points]
        while True:
            chosen, lets_through = self._filter()
            found = self._oracle.selected(lets_through)
            if len(found) < 40 or self.draw.random() < 0.1:
                return Selection(filter=chosen), found

    def _drawn_search(self, queries: Vectors) -> tuple[Search, LetsThrough]:
        """With everything that a search can have, each now and then."""
        often = self.draw.random
        chosen, lets_through = self._filter() if often() < 0.4 else (None, _everything)
        search = Search(
            queries=queries,
            limit=self.draw.choice([1, 3, 10, 10, len(self._oracle.points) + 5]),
            offset=self.draw.choice([0, 0, 0, 2, 30]),
            filter=chosen,
            exact=often() < 0.4,
            exclude=frozenset(self.draw.sample(POOL, 20) if often() < 0.2 else []),
            with_text=often() < 0.5,
            with_metadata=often() < 0.5,
            with_vector=often() < 0.5,
        )
        if often() < 0.3 and len(queries) == 1:
            search = replace(search, score_threshold=self._threshold(queries[0], search, lets_through))
        return search, lets_through

    def _threshold(self, query: Vectors, search: Search, lets_through: LetsThrough) -> float | None:
        """The score of a point itself where scores are exact, else one that is near to none."""
        scores = [one.score for one in self._oracle.ranked(query, search, lets_through)]
        if not scores:
            return 0.0
        if not self._oracle.tolerance:
            return self.draw.choice(scores)
        gaps = [(high + low) / 2 for high, low in pairwise(scores) if high - low > 1e-4]
        return self.draw.choice(gaps) if gaps else None


def _everything(_: PointId, __: Any) -> bool:
    return True


Operation = Callable[[], None]
