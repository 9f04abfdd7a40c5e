"""For long work that goes on beside others: when the service is busy it waits, where a single request is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import Overloaded

LONGEST_WAIT_S = 2.0

Answer = TypeVar("Answer")


async def patiently(job: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of `job`, tried until there is room for it; the deadline of the request ends it."""
    while True:
        try:
            return await job()
        except Overloaded as busy:
            await asyncio.sleep(min(busy.retry_after, LONGEST_WAIT_S))
