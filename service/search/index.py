"""Find the nearest vectors fast, in memory. A cache: it can always be rebuilt from the store."""

import threading

import faiss
import numpy as np
from numpy.typing import NDArray

from service.search import vectors as rules

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

# From this many queries x width on, one matrix product beats a scan per query: 6 queries of width 384.
# FAISS's own value, 128,000, is meant for many threads; with one it makes 64 queries five times slower.
faiss.cvar.distance_compute_blas_threshold = 2048

BLOCK_CELLS = 4 * 1024**2  # 16 MB of float32: most that one block of vectors, or of their scores, may hold


def search_threads() -> int:
    """See to it that a search on this thread computes on no other; returns how many threads hold from now on."""
    # OpenMP keeps this for each thread apart; more threads than one would fight with the encoder's.
    faiss.omp_set_num_threads(1)
    return int(faiss.omp_get_max_threads())


class FlatIndex:
    """Exact inner-product search over (row number, vector) pairs.

    Any thread may call any method. `_lock` guards the FAISS index and `_last_row`: FAISS crashes or answers
    wrongly when one thread searches while another changes it.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._flat = faiss.IndexFlatIP(width)
        self._faiss = faiss.IndexIDMap2(self._flat)
        self._last_row = 0

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self._faiss.ntotal)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add `vectors` (n, width) under `rows` (n,), as `replace` does."""
        self.replace(np.empty(0, np.int64), rows, vectors)

    def remove(self, rows: Rows) -> None:
        """Take `rows` (n,) out; unknown ones are left out."""
        _checked(rows)
        with self._lock:
            self._take_out(rows)

    def replace(self, removed: Rows, rows: Rows, vectors: Vectors) -> None:
        """Take out `removed` and add `vectors` (n, width) under `rows` (n,) in one step that no search sees half of.

        Row numbers grow and are never used again, which is also what makes them unique; raises ValueError otherwise,
        and InvalidInput for vectors that break the rules.
        """
        rules.require(vectors, self._width, "vectors")
        _checked(removed)
        if len(_checked(rows)) != len(vectors):
            raise ValueError(f"{len(rows)} row numbers for {len(vectors)} vectors")
        with self._lock:
            if (np.diff(rows, prepend=self._last_row) <= 0).any():
                raise ValueError(f"row numbers must grow from {self._last_row}, the last one there was")
            self._take_out(removed)
            self._faiss.add_with_ids(np.ascontiguousarray(vectors), rows)
            self._last_row = int(rows[-1]) if len(rows) else self._last_row

    def search(self, queries: Vectors, limit: int) -> tuple[Vectors, Rows]:
        """The best rows for `queries` (q, width): scores (q, k) and row numbers (q, k), k = min(limit, rows there are).

        Best score first, equal scores by the lower row number. Raises InvalidInput for queries that break the rules.
        """
        rules.require(queries, self._width, "queries")
        with self._lock:
            search_threads()
            return self._nearest(np.ascontiguousarray(queries), min(limit, len(self)))

    def _nearest(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        if k < 1 or not len(queries):
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores, rows = self._faiss.search(queries, min(k + 1, len(self)))
        # FAISS keeps any of the rows that tie for the last place. One row too many tells where that happened.
        tied = scores[:, k - 1] == scores[:, k] if k < len(self) else np.zeros(len(queries), np.bool_)
        order = np.lexsort((rows, -scores))[:, :k]
        scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        if tied.any():
            scores[tied], rows[tied] = self._nearest_in_order(queries[tied], k)
        return scores, rows

    def _nearest_in_order(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The same by one more look at all rows, lowest row first, so that an equal one never takes a place.

        FAISS keeps rows in the order in which they came, which is that of their numbers. However many rows tie, this
        takes the time of one search and a few blocks of memory.
        """
        scores = np.full((len(queries), k), -np.inf, np.float32)
        places = np.zeros((len(queries), k), np.int64)
        step = max(1, BLOCK_CELLS // max(len(queries), self._width))
        for start in range(0, len(self), step):
            block = self._flat.reconstruct_n(start, min(step, len(self) - start))
            found = queries @ block.T  # (queries, block)
            better = found > scores[:, -1:]
            for query in np.flatnonzero(better.any(axis=1)):
                new = np.flatnonzero(better[query])
                both = np.concatenate([scores[query], found[query, new]])
                order = np.argsort(-both, kind="stable")[:k]
                scores[query] = both[order]
                places[query] = np.concatenate([places[query], new + start])[order]
        return scores, faiss.vector_to_array(self._faiss.id_map)[places]

    def _take_out(self, rows: Rows) -> None:
        if len(rows):  # FAISS walks over the whole index even to remove nothing
            self._faiss.remove_ids(faiss.IDSelectorBatch(rows))


def _checked(rows: Rows) -> Rows:
    """FAISS would cut 3.9 to 3 and take -1, its own sign for "nothing"."""
    if rows.dtype != np.int64 or rows.ndim != 1 or (rows < 1).any():
        raise ValueError(f"row numbers are positive int64 of shape (n,), got {rows.dtype} of shape {rows.shape}")
    return rows
