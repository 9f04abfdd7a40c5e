"""NativeRuntime: the encoder in our own kernels, each core with a chunk of sentences of its own."""

import ctypes
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from models.config import Pooling
from models.runtime.base import Precision, Vectors, check_batch
from models.runtime.native.chunks import Packed, pack
from models.runtime.native.heads import Heads, ground, through
from models.runtime.native.library import Batch, library
from models.runtime.native.weights import Weights, new_model


class NativeRuntime:
    """
    Threads:

        caller        pack -> chunks ──┬─> model_encode ──┬─> vectors
        native 1..n                    └─> model_encode ──┘

    All of them take chunks from one counter until none is left; nobody waits for another but at the end. All read the
    weights; each has scratch memory of its own.
    """

    def __init__(
        self,
        weights: Weights,
        heads: Heads,
        *,
        pooling: Pooling,
        max_tokens: int,
        precision: Precision,
        threads: int,
        reason: str,
    ) -> None:
        """Pack weights for a precision; raises OSError where the kernels were not built."""
        self.name = f"native-{precision}"
        self.precision: Precision = precision
        self.reason = reason
        self.threads = threads
        self.dimension: int = weights.words.shape[1]
        self.grounded_dimension: int | None = None if heads.grounding is None else heads.grounding.weight.shape[0]
        self._heads = heads
        self._vocabulary = len(weights.words)
        self._longest = min(max_tokens, len(weights.positions))
        self._distance_bias, self._reach = weights.distance_bias, max_tokens - 1
        self._functions = library(precision)
        self._model, self._alive = new_model(self._functions, weights, pooling)
        self._scratches = [self._functions.scratch_new() for _ in range(threads)]
        if not all(self._scratches):
            raise MemoryError("no memory for the threads of the encoder")
        self._helpers = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="native")
        weakref.finalize(self, _release, self._functions, self._model, self._scratches)

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """See `Runtime.encode`. Raises MemoryError when there is no room for a chunk."""
        packed = self._packed(batch)
        vectors = np.empty((len(batch), self.dimension), np.float32)
        self._run(packed, vectors=vectors)
        return vectors if self._heads.mlp is None else through(self._heads.mlp, vectors)

    def states(self, batch: Sequence[Sequence[int]]) -> list[Vectors]:
        """See `Runtime.states`. Raises MemoryError likewise."""
        packed = self._packed(batch)
        states = np.empty((len(packed.ids), self.dimension), np.float32)
        self._run(packed, states=states)
        return np.split(states, packed.starts[1:-1])

    def ground(self, sentences: Vectors) -> Vectors:
        """See `Runtime.ground`."""
        if self._heads.grounding is None:
            raise ValueError("this checkpoint has no grounding head")
        return ground(self._heads.grounding, sentences)

    def _packed(self, batch: Sequence[Sequence[int]]) -> Packed:
        check_batch(batch)
        packed = pack(batch, self.threads)
        self._check(int(packed.ids.min()), int(packed.ids.max()), int(np.diff(packed.starts).max()))
        return packed

    def _run(self, packed: Packed, *, vectors: Vectors | None = None, states: Vectors | None = None) -> None:
        """Fill the one or the other."""
        batch = Batch(
            ids=packed.ids.ctypes.data,
            starts=packed.starts.ctypes.data,
            order=packed.order.ctypes.data,
            chunks=packed.chunks.ctypes.data,
            chunk_count=len(packed.chunks) - 1,
            bias=None if self._distance_bias is None else self._distance_bias.ctypes.data,
            reach=self._reach,
            vectors=None if vectors is None else vectors.ctypes.data,
            states=None if states is None else states.ctypes.data,
        )
        next_chunk = ctypes.c_int(0)

        def work(scratch: int) -> int:
            done: int = self._functions.model_encode(self._model, scratch, batch, next_chunk)
            return done

        helpers: int = min(self.threads, batch.chunk_count) - 1
        others = [self._helpers.submit(work, scratch) for scratch in self._scratches[1 : helpers + 1]]
        done = [work(self._scratches[0]), *(other.result() for other in others)]
        if not all(done):
            raise MemoryError("no memory for the states of a batch; lower MCSE_MAX_BATCH_TOKENS")

    def _check(self, lowest: int, highest: int, longest: int) -> None:
        """The kernels read memory by these numbers."""
        if lowest < 0 or highest >= self._vocabulary:
            raise ValueError(f"token ids are from {lowest} to {highest}; they must be in 0..{self._vocabulary - 1}")
        if longest > self._longest:
            raise ValueError(f"a sentence has {longest} tokens; the model takes {self._longest}")


def _release(functions: Any, model: int, scratches: Sequence[int]) -> None:
    for scratch in scratches:
        functions.scratch_free(scratch)
    functions.model_free(model)
