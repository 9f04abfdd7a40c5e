"""Gather the items of many requests into batches and run them on one compute thread.

There is no timer: a batch is what gathered while the last one ran, so an idle service answers at once and a busy
one makes large batches by itself.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog

from service.engine.bell import Bell
from service.engine.request import Answers, Finished, ItemFailedError, Request
from service.engine.waiting import Job, Waiting
from service.errors import Unavailable
from service.telemetry.logs import describe

Part = TypeVar("Part")
Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")
Value = TypeVar("Value")

STALLED_AFTER_S = 30.0  # a batch takes well under a second; this long, the thread is stuck
CLOSE_AFTER_S = 30.0
PREPARED_AT_ONCE = 16  # requests that the compute thread prepares before it looks for other work

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run took, for the metrics."""

    items: int
    answered: int
    """Items of requests; more than `items` where equal ones were run once."""
    size: int
    seconds: float


class Batcher(Generic[Part, Item, Result]):
    """
    Threads:

        event loop       submit(parts) ──> _raw ─────────────┐
                            │ the compute thread is idle     v
                            │              prepare thread   _prepare_raw: part after part -> items ─┐
                            v                                                                       v
        compute thread   _compute: _raw where there is nothing else -> items ──────────────> _waiting
                                   a batch of _waiting -> work(items) -> answers
                                                                            │
        event loop       Answers.deliver() <── one call_soon_threadsafe per batch

    A request of one part that meets an idle compute thread wakes that thread only. A larger one is prepared a part at
    a time in turns with others, and waits as a whole.

    `_lock` guards all that is queued, and `_idle`, `_closing` and `_dead`; it is never held while `prepare` or `work`
    runs. `_busy_since` is the heartbeat: written by the compute thread, read by health, one float, no lock. Made on the
    event loop that it answers to.
    """

    def __init__(
        self,
        prepare: Callable[[Part], Sequence[Item]],
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        size: Callable[[Item], int],
        budget: int,
        lanes: int = 1,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        """`prepare` makes items of a part of a request, and its errors come through; `work` maps items to as many
        results, `lanes` of them at one time; `budget` bounds the summed `size` of a batch. Equal items are run once.
        """
        self.budget = budget
        self._prepare = prepare
        self._work = work
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._raw: deque[Request[Part, Item, Result]] = deque()
        self._unready = 0  # requests that are not all items yet
        self._waiting: Waiting[Item, Request[Part, Item, Result]] = Waiting(size, lanes)
        self._open: set[Request[Part, Item, Result]] = set()
        self._errands: deque[Callable[[], None]] = deque()
        self._idle = False  # the compute thread waits for its bell, and nobody has rung it yet
        self._closing = False
        self._dead = False
        self._busy_since: float | None = None
        self._raw_bell, self._bell = Bell(), Bell()
        self._threads = [
            threading.Thread(target=self._guarded, args=(main,), name=name, daemon=True)
            for main, name in ((self._compute, "compute"), (self._prepare_raw, "prepare"))
        ]
        for thread in self._threads:
            thread.start()

    async def submit(self, parts: Sequence[Part]) -> Finished[Result]:
        """Run the items of `parts` among others' items and wait for all of them.

        Raises what `prepare` raises, ItemFailedError when an item cannot be run, Unavailable when a thread is gone or
        closing. Cancelling the wait takes out what has not started.
        """
        request: Request[Part, Item, Result] = Request(self._loop.create_future(), deque(parts))
        with self._lock:
            if self._closing or self._dead:
                raise Unavailable("The encoder has stopped; the service is going away.")
            self._open.add(request)
            self._raw.append(request)
            self._unready += 1
            bell = self._bell if self._idle and len(parts) == 1 else self._raw_bell
            self._idle = self._idle and bell is self._raw_bell
        bell.ring()
        try:
            return await request.future
        finally:
            with self._lock:
                self._open.discard(request)

    async def run(self, function: Callable[[], Value]) -> Value:
        """Run `function` on the compute thread, between batches; its errors come through."""
        future: Future[Value] = Future()
        with self._lock:
            if self._closing or self._dead:
                raise Unavailable("The encoder has stopped; the service is going away.")
            self._errands.append(partial(_fulfil, future, function))
        self._bell.ring()
        return await asyncio.wrap_future(future)

    def healthy(self) -> bool:
        """The threads live and the compute thread is not stuck in a batch."""
        busy_since = self._busy_since
        stalled = busy_since is not None and time.monotonic() - busy_since > STALLED_AFTER_S
        return all(thread.is_alive() for thread in self._threads) and not self._dead and not stalled

    def close(self) -> None:
        """Refuse new requests, finish those that wait, stop the threads. Blocks; call it off the event loop."""
        with self._lock:
            self._closing = True
        self._ring_both()
        for thread in self._threads:
            thread.join(CLOSE_AFTER_S)

    # --- both threads ---

    def _guarded(self, main: Callable[[], None]) -> None:
        try:
            main()
        except BaseException as error:  # worker border: the operator is told here, the callers below
            log.critical("compute_thread_died", thread=threading.current_thread().name, **describe(error))
            self._answer_everyone()  # nobody may wait for a thread that is gone

    def _prepare_part(self, request: Request[Part, Item, Result]) -> None:
        """Make items of its next part; put the request among those that wait when that was the last one."""
        started = time.monotonic()
        try:
            request.items += self._prepare(request.parts.popleft())
        except Exception as error:  # worker border: the caller is told
            answers: Answers[Part, Item, Result] = Answers()
            answers.fail(request, error)
            self._loop.call_soon_threadsafe(answers.deliver)
        request.prepare_s += time.monotonic() - started
        with self._lock:
            if request.parts and not request.settled:
                self._raw.append(request)
                return
            self._unready -= 1
            if not request.settled:
                self._waiting.put(request, request.items)
        self._bell.ring()

    def _answer_everyone(self) -> None:
        answers: Answers[Part, Item, Result] = Answers()
        with self._lock:
            self._dead = True
            for request in self._open:
                answers.fail(request, Unavailable("The encoder has stopped."))
        self._loop.call_soon_threadsafe(answers.deliver)
        self._ring_both()

    def _ring_both(self) -> None:
        self._raw_bell.ring()
        self._bell.ring()

    # --- prepare thread ---

    def _prepare_raw(self) -> None:
        while (step := self._next_preparation()) is not None:
            step()
        self._bell.ring()  # the compute thread may wait for the last that was raw

    def _next_preparation(self) -> Callable[[], None] | None:
        """What the prepare thread does next; None to end."""
        with self._lock:
            while self._raw:
                request = self._raw.popleft()
                if not request.settled:
                    return partial(self._prepare_part, request)
                self._unready -= 1
            return None if self._closing or self._dead else self._raw_bell.wait

    # --- compute thread ---

    def _compute(self) -> None:
        while (step := self._next_step()) is not None:
            step()

    def _next_step(self) -> Callable[[], None] | None:
        """What the compute thread does next; None to end."""
        with self._lock:
            self._idle = False
            if self._dead:
                return None
            if self._errands:
                return self._errands.popleft()
            # A small request that came just now goes before the next part of a large one.
            if self._raw and self._waiting.only_large(self.budget) and (small := self._small_raw()):
                return partial(self._prepare_all, small)
            if batch := self._waiting.take(self.budget, time.monotonic()):
                return partial(self._run_and_answer, batch)
            if small := self._small_raw():
                return partial(self._prepare_all, small)
            if self._closing and self._unready == 0:
                return None
            self._idle = True
            return self._bell.wait

    def _small_raw(self) -> list[Request[Part, Item, Result]]:
        """Requests that it is quicker to prepare here than to wait for; the others keep their order."""
        small: list[Request[Part, Item, Result]] = []
        for _ in range(len(self._raw)):
            request = self._raw.popleft()
            if request.settled:
                self._unready -= 1
            elif len(request.parts) == 1 and len(small) < PREPARED_AT_ONCE:
                small.append(request)
            else:
                self._raw.append(request)
        return small

    def _prepare_all(self, requests: list[Request[Part, Item, Result]]) -> None:
        for request in requests:
            self._prepare_part(request)

    def _run_and_answer(self, batch: list[Job[Item, Request[Part, Item, Result]]]) -> None:
        batch.sort(key=lambda job: job.size)  # neighbours of similar length waste the least padding
        started = self._busy_since = time.monotonic()
        results = self._run(batch)
        now = time.monotonic()
        self._busy_since = None
        with self._lock:
            self._waiting.finish(batch)
        answers = _hand_out(batch, results, started, now)
        if self._observe is not None:
            answered = sum(len(job.takers) for job in batch)
            self._observe(Batch(len(batch), answered, sum(job.size for job in batch), now - started))
        self._loop.call_soon_threadsafe(answers.deliver)

    def _run(self, batch: list[Job[Item, Request[Part, Item, Result]]]) -> list[Result | None]:
        """Run a batch; when it fails, run its items one by one. None stands for the result of a bad one."""
        try:
            results: list[Result | None] = [*self._work([job.item for job in batch])]
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")
        except Exception as error:  # worker border: the callers of the failing item are told
            if len(batch) > 1:
                return [result for job in batch for result in self._run([job])]
            log.error("encode_failed", size=batch[0].size, **describe(error))
            return [None]
        return results


def _fulfil(future: Future[Value], function: Callable[[], Value]) -> None:
    try:
        future.set_result(function())
    except Exception as error:  # worker border: whoever sent the errand is told
        future.set_exception(error)


def _hand_out(
    batch: list[Job[Item, Request[Part, Item, Result]]], results: list[Result | None], started: float, now: float
) -> Answers[Part, Item, Result]:
    """Give each result to everybody who waits for it; the answers of the requests that this completes or fails."""
    answers: Answers[Part, Item, Result] = Answers()
    touched: dict[Request[Part, Item, Result], None] = {}
    for job, result in zip(batch, results, strict=True):
        for request, position in job.takers:
            touched[request] = None
            if result is None:
                answers.fail(request, ItemFailedError(position))
            else:
                request.results[position] = result
    for request in touched:
        request.encode_s += now - max(started, request.submitted)
        if request.complete and not request.failed:
            answers.finished.append((request, request.finished(now)))
    return answers
