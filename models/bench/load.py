"""Latency under a load that does not wait: sentences are due at given moments, whether the encoder is ready or not.

A client that waits for each answer slows down with the service and hides the queue. Here each latency counts from the
moment a sentence was due, so the time in the queue is in it.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.bench.results import Load
from models.bench.timing import percentile

Serve = Callable[[Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, so that a test can bring its own."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


def due_times(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments of a Poisson process, at least one."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    moments = [chance.expovariate(rate)]
    while (following := moments[-1] + chance.expovariate(rate)) < seconds:
        moments.append(following)
    return moments


def latencies(serve: Serve, texts: Sequence[str], due: Sequence[float], most: int, clock: Clock) -> list[float]:
    """Seconds from due to done of each sentence.

    What is due is served together, the oldest first and at most `most` at a time, as the service does without a timer.
    """
    start = clock.now()
    done = 0
    waited: list[float] = []
    while done < len(due):
        if (early := start + due[done] - clock.now()) > 0:
            clock.sleep(early)
        now = clock.now() - start
        # The first is taken even where sleep woke a moment too soon.
        ready = max(1, sum(moment <= now for moment in due[done : done + most]))
        serve([texts[row % len(texts)] for row in range(done, done + ready)])
        finished = clock.now() - start
        waited += [finished - moment for moment in due[done : done + ready]]
        done += ready
    return waited


def measure_load(
    serve: Serve, texts: Sequence[str], *, share: float, capacity: float, seconds: float, most: int, seed: int
) -> Load:
    """Offer a share of the capacity for a while.

    Args:
        serve: turns texts into vectors.
        texts: taken in turn.
        share: of the capacity.
        capacity: sentences a second.
        seconds: how long sentences arrive.
        most: sentences served together.
        seed: of the arrivals.
    """
    due = due_times(share * capacity, seconds, seed)
    waited = latencies(serve, texts, due, most, Clock())
    last = max(seconds, *(moment + wait for moment, wait in zip(due, waited, strict=True)))
    p50, p95, p99 = (percentile(waited, level) * 1000 for level in (0.5, 0.95, 0.99))
    return Load(share, len(due) / seconds, len(due) / last, len(due), p50, p95, p99)
