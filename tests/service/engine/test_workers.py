import asyncio
import threading

import pytest

from service.engine.workers import Workers
from service.errors import Overloaded


def test_calls_run_on_the_named_pool_and_errors_come_through() -> None:
    async def scenario() -> None:
        workers = Workers("reader", threads=1, permits=2)
        assert (await workers.call(lambda: threading.current_thread().name)).startswith("reader")
        with pytest.raises(ValueError, match="x"):
            await workers.call(int, "x")
        workers.close()

    asyncio.run(scenario())


def test_more_waiting_calls_than_permits_are_refused() -> None:
    async def scenario() -> None:
        workers, gate = Workers("reader", threads=1, permits=2), threading.Event()
        waiting = [asyncio.create_task(workers.call(gate.wait, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await workers.call(int)
        gate.set()
        await asyncio.gather(*waiting)
        assert await workers.call(int) == 0
        workers.close()

    asyncio.run(scenario())
