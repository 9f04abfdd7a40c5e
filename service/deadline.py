"""How long a request may take. For one that streams, the time counts anew from each part; some have no end at all."""

import asyncio
from typing import cast

from starlette.types import Scope

DEADLINE_KEY = "mcse.deadline"


class Deadline:
    """The time limit of one request, which the middleware set. Used on the event loop only."""

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._timeout = timeout
        self._seconds = seconds

    def renew(self) -> None:
        """Count from now: something has just been done, and more is to come."""
        self._move(asyncio.get_running_loop().time() + self._seconds)

    def lift(self) -> None:
        """Let it take as long as it takes; for work that others cannot make longer."""
        self._move(None)

    def _move(self, when: float | None) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(when)


def deadline_of(scope: Scope) -> Deadline:
    """The deadline of this request."""
    return cast(Deadline, scope[DEADLINE_KEY])
