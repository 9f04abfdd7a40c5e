"""The exact kind `flat`, on FAISS: the nearest by a look at every vector."""

from typing import BinaryIO

import faiss
import numpy as np
from numpy.typing import NDArray

from service.search.indexes.access import Access
from service.search.indexes.base import Found, Vectors
from service.search.indexes.threads import search_threads
from service.search.view import Bits, Places, places_of

# From this many queries x width on, one matrix product beats a scan per query: 6 queries of width 384.
# FAISS's own value, 128,000, is meant for many threads; with one it makes 64 queries five times slower.
faiss.cvar.distance_compute_blas_threshold = 2048

BLOCK_CELLS = 4 * 1024**2  # 16 MB of float32: most that one block of vectors, or of their scores, may hold


class FlatIndex:
    """See VectorIndex."""

    kind = "flat"
    exact_scores = True

    def __init__(self, width: int) -> None:
        self._width = width
        self._access = Access()
        self._faiss = faiss.IndexFlatIP(width)

    def __len__(self) -> int:
        return int(self._faiss.ntotal)

    def append(self, vectors: Vectors) -> None:
        with self._access.writing():
            self._faiss.add(np.ascontiguousarray(vectors, np.float32))

    def nearest(
        self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None, breadth: int | None = None
    ) -> Found:
        return self.nearest_exactly(queries, wanted, count=count, allowed=allowed)

    def nearest_exactly(self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None) -> Found:
        queries = np.ascontiguousarray(queries)
        with self._access.reading():
            search_threads()
            if allowed is None and count == len(self):
                return self._among_all(queries, min(wanted, count))
            places = np.arange(count) if allowed is None else places_of(allowed)
            return self._among(queries, wanted, places)

    def vectors_at(self, places: Places) -> Vectors | None:
        with self._access.reading():
            return self._at(places)

    def memory_bytes(self) -> int:
        return len(self) * self._width * 4

    def unfinished(self) -> int:
        return 0

    def tend(self, threads: int, count: int) -> None:
        return

    def save(self, file: BinaryIO, count: int) -> None:
        """Nothing: the vectors of the store are all there is to it."""

    def _at(self, places: Places) -> Vectors:
        vectors: Vectors = self._all()[places]
        return vectors

    def _all(self) -> Vectors:
        """The vectors (n, width) where FAISS has them; only while nobody writes."""
        whole: Vectors = faiss.rev_swig_ptr(self._faiss.get_xb(), len(self) * self._width).reshape(-1, self._width)
        return whole

    def _among_all(self, queries: Vectors, k: int) -> Found:
        if k < 1 or not len(queries):
            return Found(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
        scores, places = self._faiss.search(queries, min(k + 1, len(self)))
        # FAISS keeps any of the places that tie for the last one. One too many tells where that happened.
        tied = scores[:, k - 1] == scores[:, k] if k < len(self) else np.zeros(len(queries), np.bool_)
        order = np.lexsort((places, -scores))[:, :k]
        scores, places = np.take_along_axis(scores, order, axis=1), np.take_along_axis(places, order, axis=1)
        if tied.any():
            again = self._among(queries[tied], k, np.arange(len(self)))
            places[tied], scores[tied] = again
        return Found(places, scores)

    def _among(self, queries: Vectors, wanted: int, places: Places) -> Found:
        """The best of `places`, which ascend, a block at a time, so that an equal one never takes a lower one's place.

        However many are equal, this takes the time of one search and a few blocks of memory.
        """
        k = min(wanted, len(places))
        scores = np.full((len(queries), k), -np.inf, np.float32)
        best = np.full((len(queries), k), -1, np.int64)
        step = max(1, BLOCK_CELLS // max(len(queries), self._width))
        for start in range(0, len(places) if k else 0, step):
            block = places[start : start + step]
            found = queries @ self._rows(block).T  # (queries, block)
            better: NDArray[np.bool_] = found > scores[:, -1:]
            for query in np.flatnonzero(better.any(axis=1)):
                new = np.flatnonzero(better[query])
                both = np.concatenate([scores[query], found[query, new]])
                order = np.argsort(-both, kind="stable")[:k]
                scores[query] = both[order]
                best[query] = np.concatenate([best[query], block[new]])[order]
        return Found(best, scores)

    def _rows(self, places: Places) -> Vectors:
        """Their vectors; without a copy where they follow one another."""
        if len(places) and places[-1] - places[0] + 1 == len(places):
            return self._all()[places[0] : places[-1] + 1]
        return self._at(places)
