"""A watched request: who hangs up and who takes too long end it, and nobody else."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.watch import WATCH_AFTER_S, Watch, deadline_of

REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}
LONG = 20 * WATCH_AFTER_S


class Connection:
    """Gives one message after another, then waits."""

    def __init__(self, *messages: Message, after_s: float = 0.0) -> None:
        self.messages = [*messages]
        self.asked = 0
        self.answered = False
        self._after_s = after_s

    async def receive(self) -> Message:
        self.asked += 1
        if self.asked > 1:
            await asyncio.sleep(self._after_s)
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


def run(connection: Connection, seconds: float, work: Callable[[Watch], Awaitable[None]]) -> None:
    async def main() -> None:
        try:
            with Watch(connection.receive, seconds, lambda: connection.answered) as watch:
                await work(watch)
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.sleep(0)
            assert all(task.cancelled() for task in others)

    asyncio.run(main())


async def read_then_work(watch: Watch) -> None:
    await watch.receive()
    await asyncio.sleep(LONG)


def test_a_request_that_is_answered_at_once_is_read_and_no_more_is_asked() -> None:
    connection = Connection(REQUEST, GONE)

    async def work(watch: Watch) -> None:
        assert await watch.receive() == REQUEST

    run(connection, 1.0, work)
    assert connection.asked == 1


def test_a_caller_who_hangs_up_ends_the_work() -> None:
    with pytest.raises(ClientDisconnect):
        run(Connection(REQUEST, GONE, after_s=2 * WATCH_AFTER_S), 10.0, read_then_work)


def test_a_caller_is_watched_from_the_end_of_a_body_that_comes_late() -> None:
    part: Message = {"type": "http.request", "body": b"a", "more_body": True}

    async def work(watch: Watch) -> None:
        while (await watch.receive())["more_body"]:
            await asyncio.sleep(2 * WATCH_AFTER_S)
        await asyncio.sleep(LONG)

    with pytest.raises(ClientDisconnect):
        run(Connection(part, REQUEST, GONE), 10.0, work)


def test_who_has_his_answer_may_hang_up() -> None:
    connection = Connection(REQUEST, GONE, after_s=2 * WATCH_AFTER_S)
    connection.answered = True
    run(connection, 10.0, read_then_work)
    assert connection.asked == 2


@pytest.mark.parametrize("seconds", [WATCH_AFTER_S / 2, 3 * WATCH_AFTER_S], ids=["at once", "later"])
def test_what_takes_too_long_is_ended(seconds: float) -> None:
    with pytest.raises(TimeoutError):
        run(Connection(REQUEST), seconds, read_then_work)


def test_the_time_counts_anew_from_each_renewal() -> None:
    async def work(watch: Watch) -> None:
        for _ in range(4):
            await asyncio.sleep(3 * WATCH_AFTER_S)
            watch.renew()

    run(Connection(REQUEST), 6 * WATCH_AFTER_S, work)

    async def idle(watch: Watch) -> None:
        watch.renew()
        await asyncio.sleep(LONG)

    with pytest.raises(TimeoutError):
        run(Connection(REQUEST), 6 * WATCH_AFTER_S, idle)


@pytest.mark.parametrize("after_s", [0.0, 2 * WATCH_AFTER_S], ids=["at once", "later"])
def test_a_limit_that_is_lifted_is_none_but_who_hangs_up_still_ends_it(after_s: float) -> None:
    async def work(watch: Watch) -> None:
        await watch.receive()
        await asyncio.sleep(after_s)
        watch.lift()
        await asyncio.sleep(LONG)

    run(Connection(REQUEST), 5 * WATCH_AFTER_S, work)
    with pytest.raises(ClientDisconnect):
        run(Connection(REQUEST, GONE, after_s=8 * WATCH_AFTER_S), 5 * WATCH_AFTER_S, work)


def test_a_cancellation_from_outside_stays_one() -> None:
    async def main() -> None:
        async def handle() -> None:
            with Watch(Connection(REQUEST).receive, 10.0, lambda: False) as watch:
                await read_then_work(watch)

        task = asyncio.create_task(handle())
        await asyncio.sleep(2 * WATCH_AFTER_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_an_error_of_the_work_is_its_own() -> None:
    async def work(watch: Watch) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        run(Connection(REQUEST), 10.0, work)


def test_it_belongs_to_a_task() -> None:
    with pytest.raises(RuntimeError):
        Watch(Connection().receive, 1.0, lambda: False)


def test_the_deadline_of_a_request_is_that_of_its_watch() -> None:
    async def work(watch: Watch) -> None:
        assert deadline_of({"mcse.watch": watch}) is watch

    run(Connection(), 1.0, work)
