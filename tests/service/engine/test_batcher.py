import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from service.engine import batcher as batcher_module
from service.engine.batcher import Batch, Batcher
from service.engine.request import ItemFailedError
from service.errors import InvalidInput, Unavailable

Words: TypeAlias = Batcher[str, str, str]


def one_item(part: str) -> list[str]:
    """A part is a word, and is the item."""
    if part.startswith("refused"):
        raise InvalidInput(part)
    return [part]


class Work:
    """Answers each word in capitals; can be held at a gate, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.entered.set()
        self.gate.wait(5)
        self.batches.append(list(items))
        if "poison" in items:
            raise ValueError("canary")
        if "death" in items:
            raise SystemExit
        if "short" in items:
            return []
        return [item.upper() for item in items]


@asynccontextmanager
async def running(
    work: Callable[[Sequence[str]], Sequence[str]],
    budget: int = 1000,
    observe: Callable[[Batch], None] | None = None,
) -> AsyncIterator[Words]:
    batcher: Words = Batcher(one_item, work, size=len, budget=budget, observe=observe)
    try:
        yield batcher
    finally:
        await asyncio.to_thread(batcher.close)


async def busy(batcher: Words, work: Work) -> asyncio.Task[object]:
    """Hold the compute thread inside a first batch, so that the next ones gather."""
    work.gate.clear()
    work.entered.clear()
    task: asyncio.Task[object] = asyncio.create_task(batcher.submit(["busy"]))
    await asyncio.to_thread(work.entered.wait, 5)
    return task


async def batcher_has_prepared(batcher: Words) -> None:
    while batcher._unready:
        await asyncio.sleep(0.001)


async def submitted(batcher: Words, *requests: list[str]) -> list[asyncio.Task[object]]:
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(batcher.submit(items)) for items in requests]
    await asyncio.sleep(0)
    await batcher_has_prepared(batcher)
    return tasks


def test_results_come_in_the_order_of_the_request() -> None:
    async def scenario() -> None:
        async with running(Work()) as batcher:
            done = await batcher.submit(["ccc", "a", "bb"])
        assert done.results == ["CCC", "A", "BB"]
        assert done.queue_s >= 0
        assert done.encode_s >= 0

    asyncio.run(scenario())


def test_there_is_no_timer() -> None:
    async def scenario() -> None:
        async with running(Work()) as batcher:
            started = time.monotonic()
            for _ in range(50):
                await batcher.submit(["a"])
            assert time.monotonic() - started < 0.5

    asyncio.run(scenario())


def test_a_batch_is_what_gathered_while_the_last_one_ran() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["a"], ["b", "c"], ["d"])
            work.gate.set()
            await asyncio.gather(first, *rest)
        assert work.batches == [["busy"], ["a", "d", "b", "c"]]

    asyncio.run(scenario())


def test_a_batch_is_sorted_by_length() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["ccc", "a"], ["bb"])
            work.gate.set()
            await asyncio.gather(first, *rest)
        assert work.batches[1] == ["a", "bb", "ccc"]

    asyncio.run(scenario())


def test_batches_stay_under_the_budget_and_small_requests_go_first() -> None:
    async def scenario() -> None:
        work, seen = Work(), list[Batch]()
        async with running(work, budget=5, observe=seen.append) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["aaa", "bb"], ["c"], ["too large for the budget"], ["dd"])
            work.gate.set()
            await asyncio.gather(first, *rest)
        assert work.batches[1:] == [["c", "dd"], ["bb", "aaa"], ["too large for the budget"]]
        assert [(batch.items, batch.size) for batch in seen[1:3]] == [(2, 3), (2, 5)]

    asyncio.run(scenario())


def test_only_the_poisoned_request_fails() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["good"], ["fine", "poison"], ["well"])
            work.gate.set()
            answers = await asyncio.gather(first, *rest, return_exceptions=True)
            assert isinstance(answers[2], ItemFailedError)
            assert answers[2].position == 1
            assert [getattr(answers[i], "results", None) for i in (1, 3)] == [["GOOD"], ["WELL"]]
            assert (await batcher.submit(["still"])).results == ["STILL"]
            assert batcher.healthy()

    asyncio.run(scenario())


def test_too_few_results_count_as_a_failure() -> None:
    async def scenario() -> None:
        async with running(Work()) as batcher:
            with pytest.raises(ItemFailedError):
                await batcher.submit(["short"])
            assert batcher.healthy()

    asyncio.run(scenario())


def test_a_cancelled_request_is_never_encoded() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            left, stays = await submitted(batcher, ["left", "gone"], ["stays"])
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
            work.gate.set()
            await asyncio.gather(first, stays)
        assert work.batches == [["busy"], ["stays"]]

    asyncio.run(scenario())


def test_a_request_cancelled_during_its_batch_disturbs_nobody() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            work.gate.set()
            assert (await batcher.submit(["next"])).results == ["NEXT"]

    asyncio.run(scenario())


def test_death_of_the_thread_answers_everyone_and_turns_health_false() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work, budget=6) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["death"], ["waits"], ["waits too"])
            work.gate.set()
            await first
            answers = await asyncio.wait_for(asyncio.gather(*rest, return_exceptions=True), 1)
            assert [type(answer) for answer in answers] == [Unavailable] * 3
            assert not batcher.healthy()
            with pytest.raises(Unavailable):
                await batcher.submit(["late"])

    asyncio.run(scenario())


def test_a_stuck_batch_turns_health_false(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            assert batcher.healthy()
            first = await busy(batcher, work)
            assert batcher.healthy()
            monkeypatch.setattr(batcher_module, "STALLED_AFTER_S", 0.0)
            assert not batcher.healthy()
            work.gate.set()
            await first

    asyncio.run(scenario())


def test_close_finishes_what_waits_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        work = Work()
        batcher: Words = Batcher(one_item, work, size=len, budget=3)
        first = await busy(batcher, work)
        rest = await submitted(batcher, ["aa"], ["bb"])
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await batcher.submit(["late"])
        work.gate.set()
        await asyncio.gather(first, *rest, closing)
        assert not batcher.healthy()

    asyncio.run(scenario())


def test_equal_items_are_run_once_and_answered_everywhere() -> None:
    async def scenario() -> None:
        work, seen = Work(), list[Batch]()
        async with running(work, observe=seen.append) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["a", "b", "a"], ["b"], ["busy"])
            work.gate.set()
            answers = await asyncio.gather(*rest)
            await first
        assert work.batches == [["busy"], ["b", "a"]]
        assert [getattr(answer, "results", None) for answer in answers] == [["A", "B", "A"], ["B"], ["BUSY"]]
        assert [(batch.items, batch.answered) for batch in seen] == [(1, 2), (2, 4)]

    asyncio.run(scenario())


def test_who_shares_an_item_with_a_caller_who_left_is_answered() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            leaves, stays = await submitted(batcher, ["shared", "alone"], ["shared"])
            leaves.cancel()
            await asyncio.gather(leaves, return_exceptions=True)
            work.gate.set()
            await asyncio.gather(first, stays)
        assert work.batches == [["busy"], ["shared"]]

    asyncio.run(scenario())


def test_a_shared_item_that_fails_fails_everybody_who_sent_it_at_their_position() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            rest = await submitted(batcher, ["poison"], ["fine", "poison"], ["fine"])
            work.gate.set()
            one, other, good = await asyncio.gather(*rest, return_exceptions=True)
            await first
        assert isinstance(one, ItemFailedError)
        assert isinstance(other, ItemFailedError)
        assert (one.position, other.position) == (0, 1)
        assert getattr(good, "results", None) == ["FINE"]

    asyncio.run(scenario())


@pytest.mark.parametrize("parts", [["refused"], ["good", "refused", "good"]], ids=["small", "large"])
def test_what_preparing_refuses_comes_through_and_is_not_run(parts: list[str]) -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            with pytest.raises(InvalidInput):
                await batcher.submit(parts)
            assert (await batcher.submit(["next"])).results == ["NEXT"]
        assert work.batches == [["next"]]

    asyncio.run(scenario())


def test_a_large_request_neither_starves_small_ones_nor_is_starved() -> None:
    """Small ones keep coming while a large one waits: each is answered within two batches, and the large one ends."""

    async def scenario() -> None:
        begun = 0

        def work(items: Sequence[str]) -> list[str]:
            nonlocal begun
            begun += 1
            time.sleep(0.002)
            return list(items)

        async with running(work, budget=80) as batcher:
            large = asyncio.create_task(batcher.submit([f"large{i:05d}" for i in range(2000)]))
            waited: list[int] = []
            while not large.done():
                before = begun
                await batcher.submit([f"small{len(waited):05d}"])
                waited.append(begun - before)
            assert (await large).results[-1] == "large01999"
        assert len(waited) > 100, "small ones were answered all the time"
        late = sum(batches > 2 for batches in waited)  # this thread itself may come late to see an answer
        assert late < len(waited) / 20, (
            f"{late} of {len(waited)} waited for more than two batches, {max(waited)} at most"
        )

    asyncio.run(scenario())


def test_a_single_request_of_an_idle_batcher_wakes_one_thread_only() -> None:
    async def scenario() -> None:
        prepared_by = list[str]()

        def prepare(part: str) -> list[str]:
            prepared_by.append(threading.current_thread().name)
            return [part]

        batcher: Words = Batcher(prepare, list, size=len, budget=10)
        for word in ("a", "b", "c"):
            await asyncio.sleep(0.01)
            await batcher.submit([word])
        await batcher.submit(["d", "e"])
        await asyncio.to_thread(batcher.close)
        assert prepared_by == ["compute", "compute", "compute", "prepare", "prepare"]

    asyncio.run(scenario())


def test_the_next_requests_are_prepared_while_a_batch_runs() -> None:
    async def scenario() -> None:
        work = Work()
        async with running(work) as batcher:
            first = await busy(batcher, work)
            second = asyncio.create_task(batcher.submit(["next"]))
            await asyncio.sleep(0)
            await asyncio.wait_for(batcher_has_prepared(batcher), 5)
            assert not first.done()
            work.gate.set()
            await asyncio.gather(first, second)

    asyncio.run(scenario())


def test_a_function_runs_on_the_compute_thread_and_its_errors_come_through() -> None:
    async def scenario() -> None:
        async with running(Work()) as batcher:
            assert await batcher.run(lambda: threading.current_thread().name) == "compute"
            with pytest.raises(ZeroDivisionError):
                await batcher.run(lambda: 1 // 0)
            assert batcher.healthy()
        with pytest.raises(Unavailable):
            await batcher.run(int)

    asyncio.run(scenario())


def test_close_finishes_what_is_not_prepared_yet() -> None:
    async def scenario() -> None:
        gate = threading.Event()

        def prepare(part: str) -> list[str]:
            gate.wait(5)
            return [part]

        batcher: Words = Batcher(prepare, list, size=len, budget=10)
        waiting = [asyncio.create_task(batcher.submit([word, word + "x"])) for word in ("a", "b")]
        await asyncio.sleep(0.02)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.02)
        gate.set()
        assert [done.results for done in await asyncio.gather(*waiting)] == [["a", "ax"], ["b", "bx"]]
        await closing

    asyncio.run(scenario())
