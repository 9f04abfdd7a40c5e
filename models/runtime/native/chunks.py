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
    return Packed(ids, starts, order, _cut(lengths[order], _budget(tokens, threads)))


def _budget(tokens: int, threads: int) -> int:
    """Tokens of a chunk, such that every thread has as many chunks as any other."""
    share = math.ceil(tokens / threads)
    return max(LEAST_TOKENS, math.ceil(share / math.ceil(share / CHUNK_TOKENS)))


def _cut(lengths: Ints, budget: int) -> Ints:
    """Cuts that keep each chunk within `budget` tokens, or at one sentence."""
    cuts, held = [0], 0
    for place, length in enumerate(lengths.tolist()):
        if held and held + length > budget:
            cuts.append(place)
            held = 0
        held += length
    return np.array([*cuts, len(lengths)], np.int32)
