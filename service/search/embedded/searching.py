"""From a search to hits: which places are allowed, the index, the words, both joined, and what the store adds."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.search.embedded.contents import Contents
from service.search.filters.cache import FilterCache
from service.search.fusion import Fused, reciprocal_rank_fusion
from service.search.indexes.base import Found, Vectors
from service.search.points import Hit, Search, StoredPoint
from service.search.store.store import Store
from service.search.view import Bits, places_of_rows

FUSED_DEPTH = 100  # hits of each search that a fusion looks at, at least
SPARE = 2  # times as many estimated hits are compared with the vectors themselves
SPARE_MORE = 16

Scored = tuple[int, float]
"""A row number and a score."""


class OutOfDate(Exception):  # noqa: N818 (it is no error: the search is done again)
    """The store has moved on from what the search began with."""


class Searcher:
    """Answers the searches of one collection. Any thread may call it; it changes nothing.

    Raises OutOfDate when a point was replaced or deleted between the look at the index and the look at the store.
    """

    def __init__(self, store: Store, number: int, filters: FilterCache) -> None:
        self._store = store
        self._number = number
        self._filters = filters

    def hits(self, search: Search, queries: Vectors, contents: Contents) -> list[list[Hit]]:
        """For each of `queries` (q, dimension), checked and scaled, its hits, best first."""
        allowed = self.allowed(search, contents)
        wanted = search.offset + search.limit
        lowest = -math.inf if search.score_threshold is None else search.score_threshold
        if search.mode == "dense" and contents.index.exact_scores and not _asks_store(search) and len(queries):
            return _at_places(self._nearest(search, queries, contents, allowed, wanted), search, lowest, contents)
        found = self._found(search, queries, contents, allowed, wanted)
        cut = [[hit for hit in hits if hit.score >= lowest][search.offset : wanted] for hits in found]
        return self._told(search, contents, cut)

    def _found(
        self, search: Search, queries: Vectors, contents: Contents, allowed: Bits | None, wanted: int
    ) -> list[list[Fused]]:
        if search.mode == "dense":
            return [[Fused(*hit) for hit in hits] for hits in self._dense(search, queries, contents, allowed, wanted)]
        if search.mode == "lexical":
            return [[Fused(*hit) for hit in hits] for hits in self._lexical(search, contents, allowed, wanted)]
        depth = max(FUSED_DEPTH, 2 * wanted)
        dense = self._dense(search, queries, contents, allowed, depth)
        lexical = self._lexical(search, contents, allowed, depth)
        return [reciprocal_rank_fusion(*pair) for pair in zip(dense, lexical, strict=True)]

    def allowed(self, search: Search, contents: Contents) -> Bits | None:
        """The places that may be found; None where all may."""
        bits = None if search.filter is None else self._filters.bits(search.filter, contents.view)
        if search.filter is not None and bits is None:
            raise OutOfDate
        if search.exclude:
            bits = contents.view.live.copy() if bits is None else bits.copy()
            gone = places_of_rows(np.sort(self._store.rows_of_ids(self._number, [*search.exclude])), contents.view)
            np.bitwise_and.at(bits, gone >> 3, ~(1 << (gone & 7)).astype(np.uint8))
        if bits is None:
            return None if contents.all_live else contents.view.live
        return bits & contents.view.live

    def _dense(
        self, search: Search, queries: Vectors, contents: Contents, allowed: Bits | None, wanted: int
    ) -> list[list[Scored]]:
        if not len(queries):
            return []
        index = contents.index
        found = self._nearest(search, queries, contents, allowed, wanted)
        rows = contents.view.rows[found.places]
        if not index.exact_scores:
            return self._compared(queries, found, rows, wanted)
        return [
            [hit for hit, place in zip(zip(*pair, strict=True), places, strict=True) if place >= 0][:wanted]
            for *pair, places in zip(rows.tolist(), found.scores.tolist(), found.places.tolist(), strict=True)
        ]

    def _nearest(
        self, search: Search, queries: Vectors, contents: Contents, allowed: Bits | None, wanted: int
    ) -> Found:
        index, count = contents.index, contents.view.count
        if search.exact:
            return index.nearest_exactly(queries, wanted, count=count, allowed=allowed)
        asked = wanted if index.exact_scores else SPARE * wanted + SPARE_MORE
        return index.nearest(queries, min(asked, count), count=count, allowed=allowed, breadth=search.breadth)

    def _compared(self, queries: Vectors, found: Found, rows: NDArray[np.int64], wanted: int) -> list[list[Scored]]:
        """The best of those that were found, by their vectors in the store."""
        needed = np.unique(rows[found.places >= 0])
        kept, vectors = self._store.vectors_by_row(self._number, needed)
        if len(kept) < len(needed):
            raise OutOfDate
        answers = []
        for query, its_rows, its_places in zip(queries, rows.tolist(), found.places.tolist(), strict=True):
            numbers = [row for row, place in zip(its_rows, its_places, strict=True) if place >= 0]
            exact = vectors[np.searchsorted(kept, numbers)] @ query
            ranked = sorted(zip(numbers, exact.tolist(), strict=True), key=lambda hit: (-hit[1], hit[0]))
            answers.append(ranked[:wanted])
        return answers

    def _lexical(self, search: Search, contents: Contents, allowed: Bits | None, wanted: int) -> list[list[Scored]]:
        known = contents.view.rows[: contents.view.count]
        bits = contents.view.live if allowed is None else allowed

        def passes(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
            if not len(known):
                return np.zeros(len(rows), np.bool_)
            places = np.minimum(np.searchsorted(known, rows), len(known) - 1)
            passing: NDArray[np.bool_] = (known[places] == rows) & (bits[places >> 3] >> (places & 7) & 1).astype(
                np.bool_
            )
            return passing

        return [self._store.lexical(self._number, words, wanted, passes) for words in search.words or ()]

    def _told(self, search: Search, contents: Contents, found: Sequence[Sequence[Fused]]) -> list[list[Hit]]:
        """With ids, and what was asked for of the store."""
        if not _asks_store(search):
            return [_with_ids(hits, contents) for hits in found]
        rows = np.unique(np.array([hit.row for hits in found for hit in hits], np.int64))
        points = self._store.points_by_row(self._number, rows)
        if len(points) < len(rows):
            raise OutOfDate
        return [[_hit(hit, points[hit.row], search) for hit in hits] for hits in found]


def _asks_store(search: Search) -> bool:
    """Whether hits have more than ids and scores."""
    return search.with_text or search.with_metadata or search.with_vector


def _at_places(found: Found, search: Search, lowest: float, contents: Contents) -> list[list[Hit]]:
    """Hits by places, without a way over their rows: it is a fifth of the time of a search by one vector."""
    wanted = search.offset + search.limit
    answers = []
    for places, scores in zip(found.places, found.scores, strict=True):
        good = (places >= 0) & (scores >= np.float64(lowest))
        hits = map(Hit, contents.ids.many(places[good]), scores[good].tolist())
        answers.append([*hits][search.offset : wanted])
    return answers


def _with_ids(found: Sequence[Fused], contents: Contents) -> list[Hit]:
    rows = [hit.row for hit in found]
    ids = contents.ids.many(np.searchsorted(contents.view.rows[: contents.view.count], rows))
    return [
        Hit(point_id, hit.score, None, None, None, hit.dense, hit.lexical)
        for point_id, hit in zip(ids, found, strict=True)
    ]


def _hit(found: Fused, point: StoredPoint, search: Search) -> Hit:
    return Hit(
        point.id,
        found.score,
        text=point.text if search.with_text else None,
        metadata=point.metadata if search.with_metadata else None,
        vector=point.vector if search.with_vector else None,
        dense_score=found.dense,
        lexical_score=found.lexical,
    )
