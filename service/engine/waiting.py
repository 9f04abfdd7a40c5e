"""What waits to be computed, and which of it goes next. Plain data: whoever uses it brings the lock."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import Generic, Protocol, TypeVar

LATE_AFTER_S = 0.25  # short requests are let pass for so long
LATE_SHARE = 4  # one of so many parts belongs to the late ones
SHORT = 64  # size that a lane is given at one time while small requests come
SMALL_FOR_S = 5.0  # they are taken to come for so long after the last one


class Taker(Protocol):
    """A request, as far as waiting goes."""

    submitted: float
    """Monotonic time."""

    @property
    def settled(self) -> bool:
        """Cancelled, failed or answered: its items need no more work."""


Item = TypeVar("Item", bound=Hashable)
Request = TypeVar("Request", bound=Taker)


@dataclass(slots=True, eq=False)
class Job(Generic[Item, Request]):
    """One item, and everybody who waits for it."""

    item: Item
    size: int
    takers: list[tuple[Request, int]] = field(default_factory=list)
    """(request, position of the item in it)"""
    running: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not all(request.settled for request, _ in self.takers)


@dataclass(slots=True, eq=False)
class _Place(Generic[Item, Request]):
    """A request's own jobs that no batch has taken yet, largest first, so that `pop` gives the smallest."""

    request: Request
    jobs: list[Job[Item, Request]]
    size: int
    """Of these jobs"""
    whole: int
    """What it was at the beginning"""


class Waiting(Generic[Item, Request]):
    """Equal items are one job, from the time the first of them waits until it is answered.

    A batch takes the smallest requests first, so that a large one holds nobody up. What it finishes is not kept waiting
    for a larger one's sake: of that one it takes only what the other lanes compute meanwhile. While small requests
    come, batches of large ones are short, because the next small one waits for the end of whatever runs.

    A request that has waited for LATE_AFTER_S is late: over time a part of what is computed belongs to the late ones in
    order of arrival, so that small ones do not hold them up for ever.
    """

    def __init__(self, size: Callable[[Item], int], lanes: int = 1) -> None:
        """`size` of an item is about the time it takes; so many of them are computed at one time."""
        self._size = size
        self._lanes = lanes
        self._jobs: dict[Item, Job[Item, Request]] = {}
        self._places: list[_Place[Item, Request]] = []  # in order of arrival
        self._owed = 0  # to the late ones, as a size
        self._small_at = -math.inf  # when a batch last had a small request

    def __len__(self) -> int:
        """How many different items there are, those in a batch included."""
        return len(self._jobs)

    def only_large(self, budget: int) -> bool:
        """Whether no request that waits could be finished by one batch."""
        return not any(place.size <= budget for place in self._places)

    def put(self, request: Request, items: Sequence[Item]) -> None:
        """Let `request` wait for all `items`."""
        mine: dict[int, Job[Item, Request]] = {}
        for position, item in enumerate(items):
            job = self._jobs.get(item)
            if job is None:
                job = self._jobs[item] = Job(item, self._size(item))
            job.takers.append((request, position))
            if not job.running:
                mine[id(job)] = job
        if mine:
            jobs = sorted(mine.values(), key=lambda job: job.size)[::-1]
            size = sum(job.size for job in jobs)
            self._places.append(_Place(request, jobs, size, size))

    def take(self, budget: int, now: float) -> list[Job[Item, Request]]:
        """The next batch: jobs of `budget` together, or larger ones, one for each lane; empty where nothing waits."""
        self._drop_settled()
        if not self._places:
            return []
        late = [place for place in self._places if now - place.request.submitted > LATE_AFTER_S]
        before = sum(place.size for place in late)
        batch: list[Job[Item, Request]] = []
        if self._owed > 0:
            _move(late, batch, min(self._owed, budget // 2))
        self._fill(batch, budget, now)
        got = before - sum(place.size for place in late)
        owed = self._owed + _size(batch) // LATE_SHARE - got
        self._owed = max(-budget, min(budget, owed)) if late else 0
        self._places = [place for place in self._places if place.jobs]
        return batch

    def _fill(self, batch: list[Job[Item, Request]], budget: int, now: float) -> None:
        """Small requests, and what fits beside them; where there are none, parts of large ones."""
        by_size = sorted((place for place in self._places if place.jobs), key=lambda place: place.size)
        upto = accumulate((place.size for place in by_size), initial=_size(batch))
        fitting = [place for place, size in zip(by_size, islice(upto, 1, None), strict=True) if size <= budget]
        # The end of a large request is no small one.
        if _move((place for place in fitting if place.whole <= budget), batch, budget):
            self._small_at = now
            longest = max(job.size for job in batch)
            _move(by_size, batch, min(budget, self._lanes * longest) - _size(batch))
            return
        if now - self._small_at < SMALL_FOR_S:
            budget = min(budget, self._lanes * SHORT)
        _move(by_size, batch, budget - _size(batch), lanes=self._lanes)

    def finish(self, batch: Iterable[Job[Item, Request]]) -> None:
        """Forget the jobs of a batch; from now on nobody joins them."""
        for job in batch:
            self._jobs.pop(job.item, None)

    def _drop_settled(self) -> None:
        """Forget what only cancelled requests waited for."""
        for place in self._places:
            if place.request.settled:
                for job in place.jobs:
                    if not job.running and not job.wanted:
                        self._jobs.pop(job.item, None)
        self._places = [place for place in self._places if not place.request.settled]


def _size(batch: Iterable[Job[Item, Request]]) -> int:
    return sum(job.size for job in batch)


def _move(
    places: Iterable[_Place[Item, Request]], batch: list[Job[Item, Request]], room: int, *, lanes: int = 0
) -> int:
    """Move jobs into the batch until the next one does not fit; returns how many.

    With `lanes`, at least one, and as many that each lane has equally many, though they are larger than the room.
    """
    moved = 0
    for place in places:
        while place.jobs:
            job = place.jobs[-1]
            if not job.running:
                if job.size > room and not (lanes and (moved == 0 or len(batch) % lanes)):
                    return moved
                job.running = True
                batch.append(job)
                room -= job.size
                moved += 1
            place.size -= place.jobs.pop().size
    return moved
