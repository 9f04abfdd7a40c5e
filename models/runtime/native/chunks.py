"""A batch as the kernels take it: ids end to end, sentences by length, cut into chunks for the threads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

# Tokens that go through the layers together. A larger chunk reads each weight less often, a smaller one stays in the
# processor's second cache; from 128 to 384 the speed is the same to 2 % (docs/performance.md).
CHUNK_TOKENS = 192
# A small batch is split among the threads, but not into pieces that are mostly overhead.
LEAST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Packed:
    """Sentences without padding."""

    ids: Ints
    """(tokens,) of all sentences, end to end"""
    starts: Ints
    """(sentences + 1,) where each begins, and the end"""
    order: Ints
    """(sentences,) longest first, so that the threads end together"""
    chunks: Ints
    """(chunks + 1,) cuts in `order`"""


def pack(batch: Sequence[Sequence[int]], threads: int) -> Packed:
    """Lay out id lists for `threads` threads."""
    lengths = np.fromiter(map(len, batch), np.int32, len(batch))
    starts = np.zeros(len(batch) + 1, np.int32)
    np.cumsum(lengths, out=starts[1:])
    tokens = int(starts[-1])
    ids = np.fromiter(chain.from_iterable(batch), np.int32, tokens)
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    return Packed(ids, starts, order, _cut(lengths[order], _count(tokens, threads)))


def _count(tokens: int, threads: int) -> int:
    """How many chunks, such that every thread has as many as any other."""
    share = tokens / threads
    if share < LEAST_TOKENS:
        return math.ceil(tokens / LEAST_TOKENS)
    return threads * math.ceil(share / CHUNK_TOKENS)


def _cut(lengths: Ints, count: int) -> Ints:
    """Cuts into `count` chunks of nearly equally many tokens; fewer where there are not so many sentences."""
    upto = np.cumsum(lengths)
    wanted = np.arange(1, count) * (upto[-1] / count)
    after = np.searchsorted(upto, wanted)  # the sentence that reaches so far, and whether it is nearer without it
    nearer = (upto[after] - wanted > lengths[after] / 2).astype(np.intp)
    return np.unique(np.concatenate([[0], after + 1 - nearer, [len(lengths)]])).astype(np.int32)
