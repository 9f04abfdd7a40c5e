"""A request that is not answered at once is watched: it ends when its time is over, or when the caller has hung up.

Most are answered at once, and cost one timer. ASGI tells of a caller who hangs up only to those who keep asking, and
the asking is a task of its own. The time limit counts anew from each part of a request that streams; some have none.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

WATCH_KEY = "mcse.watch"
WATCH_AFTER_S = 0.01


class Watch:
    """Around the work for one request, in the task that does it. Used on the event loop only.

    Leaving the block raises TimeoutError when the time was over before, and ClientDisconnect when the caller had left
    before `answered()`; the block is cancelled at its next await.
    """

    def __init__(self, receive: Receive, seconds: float, answered: Callable[[], bool]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is always handled in a task")
        self._loop = task.get_loop()
        self._task = task
        self._receive = receive
        self._seconds = seconds
        self._answered = answered
        self._cancelling = task.cancelling()
        self._ended: Exception | None = None
        self._read = False
        self._asking: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._end: float | None = self._loop.time() + self._seconds
        self._quiet = True  # nothing but the first timer has been set up
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(min(WATCH_AFTER_S, self._seconds), self._begin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
        if self._ended is None or self._task.uncancel() > self._cancelling:
            return
        if kind is asyncio.CancelledError:
            raise self._ended from None

    async def receive(self) -> Message:
        """The request's own, which also tells when the body has been read."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._read = True
            if not self._quiet:
                self._ask()
        return message

    def renew(self) -> None:
        """Count from now: something has just been done, and more is to come."""
        self._move(self._loop.time() + self._seconds)

    def lift(self) -> None:
        """Let it take as long as it takes; for work that others cannot make longer."""
        self._move(None)

    def _move(self, end: float | None) -> None:
        if self._ended is None:
            self._end = end
            if not self._quiet:
                self._set_timer()

    def _begin(self) -> None:
        self._quiet = False
        self._set_timer()
        if self._read:
            self._ask()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._end is None else self._loop.call_at(self._end, self._finish, TimeoutError())

    def _ask(self) -> None:
        self._asking = asyncio.create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._answered():  # the server says "disconnect" after an answer, too
            self._finish(ClientDisconnect())

    def _finish(self, why: Exception) -> None:
        if self._ended is None:
            self._ended = why
            self._task.cancel()


def deadline_of(scope: Scope) -> Watch:
    """What can move the time limit of this request."""
    return cast(Watch, scope[WATCH_KEY])
