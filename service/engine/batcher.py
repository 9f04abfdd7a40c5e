"""Gather the items of many requests into batches and run them on one compute thread.

There is no timer: a batch is what gathered while the last one ran, so an idle service answers at once and a busy
one makes large batches by itself.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from service.errors import EncodeFailed, ServiceError, Unavailable
from service.telemetry.logs import describe

Item = TypeVar("Item")
Result = TypeVar("Result")

STALLED_AFTER_S = 30.0  # a batch takes well under a second; this long, the thread is stuck
CLOSE_AFTER_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run took, for the metrics."""

    items: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished(Generic[Result]):
    """The results of one request, in its own order, and where its time went."""

    results: list[Result]
    queue_s: float
    encode_s: float


@dataclass(slots=True, eq=False)
class _Request(Generic[Result]):
    """One waiting caller. Its fields belong to the compute thread once it is queued."""

    future: asyncio.Future[Finished[Result]]
    results: list[Result | None]
    submitted: float = field(default_factory=time.monotonic)
    missing: int = 0
    encode_s: float = 0.0

    @property
    def abandoned(self) -> bool:
        """Cancelled by its caller, or failed already: its other items need no work."""
        return self.future.done()


@dataclass(frozen=True, slots=True, eq=False)
class _Job(Generic[Item, Result]):
    item: Item
    size: int
    position: int
    request: _Request[Result]


@dataclass(slots=True, eq=False)
class _Answers(Generic[Result]):
    """What one batch decided, carried to the event loop in one call."""

    finished: list[tuple[_Request[Result], Finished[Result]]] = field(default_factory=list)
    failed: list[tuple[_Request[Result], ServiceError]] = field(default_factory=list)

    def deliver(self) -> None:
        """Resolve the futures; runs on the event loop. A future may have been cancelled meanwhile."""
        for request, error in self.failed:
            if not request.future.done():
                request.future.set_exception(error)
        for request, result in self.finished:
            if not request.future.done():
                request.future.set_result(result)


class Batcher(Generic[Item, Result]):
    """
    Threads:

        event loop       submit(), close() ──> queue ──┐
                                                       v
        compute thread   _main: take a batch -> work(items) -> answers
                                                       │
        event loop       _Answers.deliver() <── one call_soon_threadsafe per batch

    `_wake` (a condition, one lock) guards `_queue`, `_closing` and `_dead`. The lock is never held while `work` runs.
    `_busy_since` is the heartbeat: written by the compute thread, read by health, one float, no lock.
    Made on the event loop that it answers to.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        size: Callable[[Item], int],
        budget: int,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        """`work` maps items to as many results; `budget` bounds the summed `size` of a batch."""
        self._work = work
        self._size = size
        self._budget = budget
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._wake = threading.Condition()
        self._queue: deque[_Job[Item, Result]] = deque()
        self._running: list[_Job[Item, Result]] = []
        self._closing = False
        self._dead = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._main, name="compute", daemon=True)
        self._thread.start()

    async def submit(self, items: Sequence[Item]) -> Finished[Result]:
        """Run `items` among others' items and wait for all of them.

        Raises EncodeFailed when one of them cannot be run, Unavailable when the thread is gone or closing.
        Cancelling the wait takes the items that have not started out of the queue.
        """
        request: _Request[Result] = _Request(
            future=self._loop.create_future(), results=[None] * len(items), missing=len(items)
        )
        jobs = [_Job(item, self._size(item), position, request) for position, item in enumerate(items)]
        with self._wake:
            if self._closing or self._dead:
                raise Unavailable("The encoder has stopped; the service is going away.")
            self._queue.extend(jobs)
            self._wake.notify()
        return await request.future

    def healthy(self) -> bool:
        """The thread lives and is not stuck in a batch."""
        busy_since = self._busy_since
        stalled = busy_since is not None and time.monotonic() - busy_since > STALLED_AFTER_S
        return self._thread.is_alive() and not self._dead and not stalled

    def close(self) -> None:
        """Refuse new items, finish those that wait, stop the thread. Blocks; call it off the event loop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(CLOSE_AFTER_S)

    # --- compute thread ---

    def _main(self) -> None:
        try:
            while batch := self._take():
                self._running = batch
                self._run_and_answer(batch)
        except BaseException as error:  # worker border: the operator is told here, the callers below
            log.critical("compute_thread_died", **describe(error))
        finally:
            self._answer_everyone()  # nobody may wait for a thread that is gone

    def _take(self) -> list[_Job[Item, Result]]:
        """Wait for work, then take jobs in order of arrival up to the budget; empty when closed."""
        with self._wake:
            while True:
                batch = self._gather()
                if batch or self._closing:
                    return batch
                self._wake.wait()

    def _gather(self) -> list[_Job[Item, Result]]:
        batch: list[_Job[Item, Result]] = []
        total = 0
        while self._queue:
            job = self._queue[0]
            if job.request.abandoned:
                self._queue.popleft()
                continue
            if batch and total + job.size > self._budget:
                break
            batch.append(self._queue.popleft())
            total += job.size
        return batch

    def _run_and_answer(self, batch: list[_Job[Item, Result]]) -> None:
        # Neighbours of similar length waste the least padding.
        batch.sort(key=lambda job: job.size)
        answers: _Answers[Result] = _Answers()
        started = self._busy_since = time.monotonic()
        self._run(batch, answers)
        now = time.monotonic()
        self._busy_since = None
        for request in {id(job.request): job.request for job in batch}.values():
            request.encode_s += now - started
            if request.missing == 0:
                answers.finished.append((request, _finish(request, now)))
        if self._observe is not None:
            self._observe(Batch(len(batch), sum(job.size for job in batch), now - started))
        self._loop.call_soon_threadsafe(answers.deliver)

    def _run(self, batch: list[_Job[Item, Result]], answers: _Answers[Result]) -> None:
        """Run a batch; when it fails, run its items one by one so that only the bad one fails."""
        try:
            results = self._work([job.item for job in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:  # worker border: the caller of the failing item is told
            if len(batch) > 1:
                for job in batch:
                    self._run([job], answers)
                return
            log.error("encode_failed", size=batch[0].size, **describe(error))
            answers.failed.append((batch[0].request, _encode_failed(batch[0].position)))
            return
        for job, result in pairs:
            job.request.results[job.position] = result
            job.request.missing -= 1

    def _answer_everyone(self) -> None:
        with self._wake:
            self._dead = True
            left = [*self._running, *self._queue]
            self._queue.clear()
        answers: _Answers[Result] = _Answers()
        answers.failed = [(job.request, Unavailable("The encoder has stopped.")) for job in left]
        if left:
            self._loop.call_soon_threadsafe(answers.deliver)


def _finish(request: _Request[Result], now: float) -> Finished[Result]:
    return Finished(
        results=[result for result in request.results if result is not None],
        queue_s=max(0.0, now - request.submitted - request.encode_s),
        encode_s=request.encode_s,
    )


def _encode_failed(position: int) -> EncodeFailed:
    return EncodeFailed(f"The model could not encode the text at position {position}; other texts are not affected.")
