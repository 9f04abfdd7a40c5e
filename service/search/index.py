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

WIDEN = 8  # how much further to look while equal scores are cut in two


class FlatIndex:
    """Exact inner-product search over (row number, vector) pairs.

    Any thread may call any method. `_lock` guards the FAISS index and `_last_row`: FAISS crashes or answers
    wrongly when one thread searches while another changes it.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._faiss = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        self._last_row = 0

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self._faiss.ntotal)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add `vectors` (n, width) under `rows` (n,), as `replace` does."""
        self.replace(np.empty(0, np.int64), rows, vectors)

    def remove(self, rows: Rows) -> None:
        """Take `rows` (n,) out; unknown ones are left out."""
        with self._lock:
            self._faiss.remove_ids(faiss.IDSelectorBatch(_checked(rows)))

    def replace(self, removed: Rows, rows: Rows, vectors: Vectors) -> None:
        """Take out `removed` and add `vectors` (n, width) under `rows` (n,) in one step that no search sees half of.

        Row numbers grow and are never used again, which is also what makes them unique; raises ValueError otherwise,
        and InvalidInput for vectors that break the rules.
        """
        rules.require(vectors, self._width, "vectors")
        if len(_checked(rows)) != len(vectors):
            raise ValueError(f"{len(rows)} row numbers for {len(vectors)} vectors")
        with self._lock:
            if (np.diff(rows, prepend=self._last_row) <= 0).any():
                raise ValueError(f"row numbers must grow from {self._last_row}, the last one there was")
            self._faiss.remove_ids(faiss.IDSelectorBatch(_checked(removed)))
            self._faiss.add_with_ids(np.ascontiguousarray(vectors), rows)
            self._last_row = int(rows[-1]) if len(rows) else self._last_row

    def search(self, queries: Vectors, limit: int) -> tuple[Vectors, Rows]:
        """The best rows for `queries` (q, width): scores (q, k) and row numbers (q, k), k = min(limit, rows there are).

        Best score first, equal scores by the lower row number. Raises InvalidInput for queries that break the rules.
        """
        rules.require(queries, self._width, "queries")
        with self._lock:
            # OpenMP keeps this for each thread apart; more threads than one would fight with the encoder's.
            faiss.omp_set_num_threads(1)
            return self._nearest(np.ascontiguousarray(queries), min(limit, len(self)))

    def _nearest(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        if k < 1 or not len(queries):
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        # FAISS keeps any of the rows that tie for the last place. Look further until the tie is seen whole.
        taken = min(k + 1, len(self))
        scores, rows = self._faiss.search(queries, taken)
        while taken < len(self) and (scores[:, k - 1] == scores[:, -1]).any():
            taken = min(taken * WIDEN, len(self))
            scores, rows = self._faiss.search(queries, taken)
        order = np.lexsort((rows, -scores))[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _checked(rows: Rows) -> Rows:
    """FAISS would cut 3.9 to 3 and take -1, its own sign for "nothing"."""
    if rows.dtype != np.int64 or rows.ndim != 1 or (rows < 1).any():
        raise ValueError(f"row numbers are positive int64 of shape (n,), got {rows.dtype} of shape {rows.shape}")
    return rows
