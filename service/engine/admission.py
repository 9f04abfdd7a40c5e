"""Permits: how much work may be inside the service at one time. What does not fit is refused at once.

A bounded queue keeps the answer time of what was admitted; an unbounded one makes everybody late.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import Overloaded

RATE_MEMORY_S = 5.0  # busy seconds after which old measurements count half
LONGEST_RETRY_S = 60


class Admission:
    """Counts admitted items. All or nothing for a request; a request that does not fit never waits.

    Used on the event loop only, so it needs no lock.
    """

    def __init__(self, permits: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.permits = permits
        self.pending = 0
        self._rate = _Rate(clock)

    def admit(self, items: int) -> "Permits":
        """Hold `items` permits in a `with` block; raises Overloaded when that many are not free."""
        if self.pending + items > self.permits:
            raise Overloaded(
                f"The service is busy: {self.pending} of {self.permits} items are pending "
                f"and this request has {items}. Try again later.",
                retry_after=self._retry_after(items),
            )
        if self.pending == 0:
            self._rate.begin()
        self.pending += items
        return Permits(self, items)

    def release(self, items: int) -> None:
        """Give them back."""
        self.pending -= items
        self._rate.finish(items)

    def _retry_after(self, items: int) -> int:
        """Whole seconds until enough permits are free at the measured rate."""
        missing = self.pending + items - self.permits
        seconds = math.ceil(missing / self._rate.items_per_second)
        return min(max(1, seconds), LONGEST_RETRY_S)


@dataclass(slots=True)
class Permits:
    """Some of an admission, held until the block is left."""

    admission: Admission
    items: int

    def __enter__(self) -> None:
        """They are held since they were asked for."""

    def __exit__(self, *_: object) -> None:
        self.admission.release(self.items)


class _Rate:
    """Items finished per busy second; idle time does not count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._items = 0.0
        self._busy_s = 0.0

    def begin(self) -> None:
        self._last = self._clock()

    def finish(self, items: int) -> None:
        now = self._clock()
        self._busy_s += now - self._last
        self._items += items
        self._last = now
        if self._busy_s > RATE_MEMORY_S:
            self._busy_s /= 2
            self._items /= 2

    @property
    def items_per_second(self) -> float:
        return self._items / self._busy_s if self._items and self._busy_s else math.inf
