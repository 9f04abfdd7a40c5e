"""Named thread pools for calls that block, so that the event loop never does."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from service.engine.admission import Admission

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Workers:
    """
    One pool of `threads` threads. `call` runs on the event loop, `function` on a thread of the pool.

    What waits for a thread is bounded by `permits`; beyond it calls raise Overloaded.
    """

    def __init__(self, name: str, *, threads: int, permits: int) -> None:
        self.admission = Admission(permits)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def call(self, function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """Run `function` on the pool and wait; its exceptions come through."""
        with self.admission.admit(1):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
