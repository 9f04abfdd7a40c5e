"""How much one caller may ask: requests a minute, and requests at a time."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from service.errors import RateLimited

MOST_CALLERS = 65_536  # remembered; who was not seen for longest is forgotten, and begins anew
WINDOW_S = 60.0


@dataclass(slots=True)
class _Caller:
    free_at: float
    """When all that he may ask at once will be there again: each request moves it on."""
    running: int = 0


class Limits:
    """Counts by caller. Who has not asked for a while may ask `rate` requests at once; they come back evenly, in a
    minute. 0 is no limit. Used on the event loop."""

    def __init__(self, rate: int, concurrency: int) -> None:
        self._rate = rate
        self._each_s = WINDOW_S / rate if rate else 0.0
        self._concurrency = concurrency
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def begin(self, who: str) -> None:
        """Count a request, which must `end`. Raises RateLimited, and then it does not count."""
        now = time.monotonic()
        caller = self._caller(who, now)
        if self._concurrency and caller.running >= self._concurrency:
            raise RateLimited(
                f"There are {self._concurrency} requests of yours running, which is the most at one time.", 1
            )
        free_at = max(caller.free_at, now) + self._each_s
        over = free_at - now - WINDOW_S
        if self._rate and over > self._each_s * 1e-6:
            raise RateLimited(
                f"You have sent {self._rate} requests in a minute, which is the limit; try again a little later.",
                math.ceil(over),
            )
        caller.free_at = free_at
        caller.running += 1

    def end(self, who: str) -> None:
        """Count a request out."""
        caller = self._callers.get(who)
        if caller is not None and caller.running:
            caller.running -= 1

    def headers(self, who: str) -> list[tuple[bytes, bytes]]:
        """What is left, for the answer: by the names in use, and by those of the draft of the standard."""
        if not self._rate:
            return []
        caller = self._callers.get(who)
        used_s = max(0.0, caller.free_at - time.monotonic()) if caller else 0.0
        left = max(0, math.floor((WINDOW_S - used_s) / self._each_s + 1e-6))
        reset = math.ceil(used_s)
        return [
            (b"ratelimit-limit", b"%d" % self._rate),
            (b"ratelimit-remaining", b"%d" % left),
            (b"ratelimit-reset", b"%d" % reset),
            (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (self._rate, WINDOW_S)),
            (b"ratelimit", b'"requests";r=%d;t=%d' % (left, reset)),
        ]

    def _caller(self, who: str, now: float) -> _Caller:
        caller = self._callers.get(who)
        if caller is None:
            caller = self._callers[who] = _Caller(free_at=now)
            if len(self._callers) > MOST_CALLERS:
                self._callers.popitem(last=False)
        else:
            self._callers.move_to_end(who)
        return caller
