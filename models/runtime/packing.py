"""Sentences one after the other without padding, the shortest first, in packs of bounded size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences of equal length, which lie next to each other in a pack."""

    sentences: int
    length: int


@dataclass(frozen=True, slots=True)
class Pack:
    """The tokens of some sentences as rows of one matrix."""

    ids: Tensor
    """(tokens,) int64"""
    places: Tensor
    """(tokens,) int64; a token's place in its own sentence, from 0"""
    starts: Tensor
    """(sentences + 1,) int32; the row of each sentence's first token, and at the end the number of tokens"""
    groups: tuple[Group, ...]
    """In the order of the rows, shortest first"""

    @property
    def firsts(self) -> Tensor:
        """(sentences,) the row of each sentence's first token."""
        return self.starts[:-1]

    def to(self, device: torch.device) -> "Pack":
        """The same pack on another device; to a GPU the copies wait for nothing."""
        if device.type == "cpu":
            return self
        ids, places, starts = (
            tensor.pin_memory().to(device, non_blocking=True) for tensor in (self.ids, self.places, self.starts)
        )
        return Pack(ids, places, starts, self.groups)


def by_length(batch: Sequence[Sequence[int]]) -> list[int]:
    """Rows of the batch from the shortest sentence to the longest; equal ones keep their order."""
    return sorted(range(len(batch)), key=lambda row: len(batch[row]))


def packs(batch: Sequence[Sequence[int]], order: Sequence[int], tokens: int) -> Iterator[Pack]:
    """The batch in an order of `by_length`, in packs of at most so many tokens; a longer sentence is a pack alone."""
    waiting: list[Sequence[int]] = []
    size = 0
    for row in order:
        if waiting and size + len(batch[row]) > tokens:
            yield _pack(waiting)
            waiting, size = [], 0
        waiting.append(batch[row])
        size += len(batch[row])
    if waiting:
        yield _pack(waiting)


def _pack(sentences: list[Sequence[int]]) -> Pack:
    lengths = [len(ids) for ids in sentences]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokens = int(starts[-1])
    return Pack(
        ids=torch.from_numpy(np.fromiter(chain.from_iterable(sentences), np.int64, tokens)),
        places=torch.from_numpy(np.arange(tokens) - np.repeat(starts[:-1], lengths)),
        starts=torch.from_numpy(starts.astype(np.int32)),
        groups=tuple(Group(len(list(same)), length) for length, same in groupby(lengths)),
    )
