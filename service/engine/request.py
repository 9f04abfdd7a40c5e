"""One waiting caller of the batcher, from its first part to its answer."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from service.errors import EncodeFailed

Part = TypeVar("Part")
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Finished(Generic[Result]):
    """The results of one request, in its own order, and where its time went."""

    results: list[Result]
    prepare_s: float
    queue_s: float
    encode_s: float


@dataclass(slots=True, eq=False)
class Request(Generic[Part, Item, Result]):
    """A thread that works on it owns its fields; only `future` is shared, and only the event loop resolves it."""

    future: asyncio.Future[Finished[Result]]
    parts: deque[Part]
    submitted: float = field(default_factory=time.monotonic)
    items: list[Item] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)
    failed: bool = False
    prepare_s: float = 0.0
    encode_s: float = 0.0

    @property
    def settled(self) -> bool:
        """Cancelled by its caller, failed or answered: its other items need no work."""
        return self.failed or self.future.done()

    @property
    def complete(self) -> bool:
        """Every item has its result."""
        return len(self.results) == len(self.items)

    def finished(self, now: float) -> Finished[Result]:
        """The answer of a complete request."""
        return Finished(
            results=[self.results[position] for position in range(len(self.items))],
            prepare_s=self.prepare_s,
            queue_s=max(0.0, now - self.submitted - self.prepare_s - self.encode_s),
            encode_s=self.encode_s,
        )


class ItemFailedError(Exception):
    """The item at `position` of a request could not be run."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the item at position {position} could not be run")
        self.position = position

    def told(self, positions: Sequence[int]) -> EncodeFailed:
        """What the caller is told; `positions` are those of the items among his texts."""
        return EncodeFailed(
            f"The model could not encode the text at position {positions[self.position]}; other texts are not affected."
        )


@dataclass(slots=True, eq=False)
class Answers(Generic[Part, Item, Result]):
    """What one batch decided, carried to the event loop in one call."""

    finished: list[tuple[Request[Part, Item, Result], Finished[Result]]] = field(default_factory=list)
    failed: list[tuple[Request[Part, Item, Result], Exception]] = field(default_factory=list)

    def fail(self, request: Request[Part, Item, Result], error: Exception) -> None:
        """The first error of a request is the one it is told."""
        if not request.failed:
            request.failed = True
            self.failed.append((request, error))

    def deliver(self) -> None:
        """Resolve the futures; runs on the event loop. A future may have been cancelled meanwhile."""
        for request, error in self.failed:
            if not request.future.done():
                request.future.set_exception(error)
        for request, result in self.finished:
            if not request.future.done():
                request.future.set_result(result)
