"""What waits to be computed, and which of it goes next. Plain data: whoever uses it brings the lock."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

LATE_AFTER_S = 0.25  # short requests are let pass for so long
LATE_SHARE = 4  # of this many parts of a batch one belongs to the late ones


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


class Waiting(Generic[Item, Request]):
    """Equal items are one job, from the time the first of them waits until it is answered.

    A batch takes the smallest requests first, so that a large one holds nobody up. What it finishes is not kept waiting
    for a larger one's sake: of that one it takes only what the other lanes compute meanwhile. A request that has waited
    for LATE_AFTER_S is late: a part of each batch belongs to the late ones in order of arrival, so that small ones do
    not hold it up for ever.
    """

    def __init__(self, size: Callable[[Item], int], lanes: int = 1) -> None:
        """`size` of an item is about the time it takes; so many of them are computed at one time."""
        self._size = size
        self._lanes = lanes
        self._jobs: dict[Item, Job[Item, Request]] = {}
        self._places: list[_Place[Item, Request]] = []  # in order of arrival

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
            self._places.append(_Place(request, jobs, sum(job.size for job in jobs)))

    def take(self, budget: int, now: float) -> list[Job[Item, Request]]:
        """The next batch: jobs of `budget` together, or larger ones, one for each lane; empty where nothing waits."""
        self._drop_settled()
        batch: list[Job[Item, Request]] = []
        late = [place for place in self._places if now - place.request.submitted > LATE_AFTER_S]
        moved = _move(late, batch, budget // LATE_SHARE, 1)
        by_size = sorted((place for place in self._places if place.jobs), key=lambda place: place.size)
        fitting = [place for place, upto in zip(by_size, _sums(by_size), strict=True) if moved + upto <= budget]
        finished = _move(fitting, batch, budget, 0)
        if finished:
            longest = max(job.size for job in batch)
            _move(by_size, batch, min(budget, self._lanes * longest) - moved - finished, 0)
        else:
            _move(by_size, batch, budget - moved, max(self._lanes, len(batch) + 1))
        self._places = [place for place in self._places if place.jobs]
        return batch

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


def _sums(places: Iterable[_Place[Item, Request]]) -> Iterable[int]:
    return accumulate(place.size for place in places)


def _move(places: Iterable[_Place[Item, Request]], batch: list[Job[Item, Request]], room: int, least: int) -> int:
    """Move jobs into the batch until it has `least` and the next does not fit; returns the size of what was moved."""
    moved = 0
    for place in places:
        while place.jobs:
            job = place.jobs[-1]
            if not job.running:
                if len(batch) >= least and moved + job.size > room:
                    return moved
                job.running = True
                batch.append(job)
                moved += job.size
            place.size -= place.jobs.pop().size
    return moved
