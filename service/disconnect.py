"""Stop the work for a caller who has hung up. ASGI only tells those who keep asking.

The asking is a task of its own, so it begins only for a request that is not answered at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

WATCH_AFTER_S = 0.01


@asynccontextmanager
async def cancelled_by_disconnect(receive: Receive, answered: Callable[[], bool]) -> AsyncIterator[Receive]:
    """Run the block under a `receive` that, once the body is read, watches for the caller to leave.

    Raises ClientDisconnect when he leaves before `answered()`; the block is cancelled at its next await.
    """
    watch = _Watch(receive, answered)
    try:
        yield watch.receive
    except asyncio.CancelledError:
        if not watch.left:
            raise
        watch.task.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.stop()


class _Watch:
    """Made in the task that handles the request; cancels that task when the caller leaves."""

    def __init__(self, receive: Receive, answered: Callable[[], bool]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is always handled in a task")
        self.task = task
        self.left = False
        self._receive = receive
        self._answered = answered
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)
        return message

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._answered():  # the server says "disconnect" after an answer, too
            self.left = True
            self.task.cancel()
