"""NativeRuntime: the encoder in our own kernels, each core with a chunk of sentences of its own."""

import ctypes
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from models.checkpoint import Checkpoint
from models.runtime.architecture import describe
from models.runtime.base import Precision, Vectors, check_batch
from models.runtime.grounding import grounded
from models.runtime.native.chunks import pack
from models.runtime.native.library import Batch, library
from models.runtime.native.weights import bias_by_distance, checked, new_model, positions_of


class NativeRuntime:
    """
    Threads:

        caller        pack -> chunks ──┬─> model_encode ──┬─> vectors
        native 1..n                    └─> model_encode ──┘

    All of them take chunks from one counter until none is left; nobody waits for another but at the end. All read the
    weights; each has scratch memory of its own.
    """

    def __init__(self, checkpoint: Checkpoint, *, precision: Precision, threads: int, reason: str) -> None:
        """Pack the weights of a checkpoint.

        Raises:
            UnsupportedArchitecture: the kernels do not compute this backbone.
            OSError: the kernels were not built.
        """
        self.name = f"native-{precision}"
        self.precision: Precision = precision
        self.reason = reason
        self.threads = threads
        self.dimension = checkpoint.dimension
        self.grounded_dimension = checkpoint.grounded_dimension
        self._model = checkpoint.model
        self._functions = library(precision)
        self._architecture = checked(describe(checkpoint.model.encoder.backbone))
        self._positions = positions_of(self._architecture)
        self._bias = bias_by_distance(self._architecture, checkpoint.max_tokens)
        self._reach = checkpoint.max_tokens - 1
        self._native = new_model(self._functions, self._architecture, self._positions, checkpoint.pooling)
        self._scratches = [self._functions.scratch_new() for _ in range(threads)]
        self._helpers = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="native")
        weakref.finalize(self, _release, self._functions, self._native, self._scratches)

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """See `Runtime.encode`. Raises MemoryError when there is no room for a chunk."""
        check_batch(batch)
        packed = pack(batch, self.threads)
        self._check(int(packed.ids.min()), int(packed.ids.max()), int(np.diff(packed.starts).max()))
        vectors = np.empty((len(batch), self.dimension), np.float32)
        self._run(
            Batch(
                ids=packed.ids.ctypes.data,
                starts=packed.starts.ctypes.data,
                order=packed.order.ctypes.data,
                chunks=packed.chunks.ctypes.data,
                chunk_count=len(packed.chunks) - 1,
                bias=None if self._bias is None else self._bias.data_ptr(),
                reach=self._reach,
                vectors=vectors.ctypes.data,
            )
        )
        return self._through_head(vectors)

    def ground(self, sentences: Vectors) -> Vectors:
        """See `Runtime.ground`."""
        return grounded(self._model.grounding, sentences)

    def _run(self, batch: Batch) -> None:
        next_chunk = ctypes.c_int(0)

        def work(scratch: int) -> int:
            done: int = self._functions.model_encode(self._native, scratch, batch, next_chunk)
            return done

        helpers: int = min(self.threads, batch.chunk_count) - 1
        others = [self._helpers.submit(work, scratch) for scratch in self._scratches[1 : helpers + 1]]
        done = [work(self._scratches[0]), *(other.result() for other in others)]
        if not all(done):
            raise MemoryError("no memory for the states of a batch; lower MCSE_MAX_BATCH_TOKENS")

    def _check(self, lowest: int, highest: int, longest: int) -> None:
        """The kernels read memory by these numbers."""
        vocabulary = self._architecture.words.shape[0]
        if lowest < 0 or highest >= vocabulary:
            raise ValueError(f"a token id is {highest if highest >= vocabulary else lowest}; there are {vocabulary}")
        if longest > self._reach + 1 or longest > len(self._positions):
            raise ValueError(f"a sentence has {longest} tokens; the model takes {self._reach + 1}")

    @torch.inference_mode()
    def _through_head(self, vectors: Vectors) -> Vectors:
        head = self._model.encoder.head
        if head is None:
            return vectors
        through: Vectors = head(torch.from_numpy(vectors)).numpy()
        return through


def _release(functions: Any, model: int, scratches: Sequence[int]) -> None:
    for scratch in scratches:
        functions.scratch_free(scratch)
    functions.model_free(model)
