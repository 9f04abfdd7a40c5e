"""Writes that follow from a seed alone, so that whoever watches a process write knows what it should have written."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.search.embedded.collection import StoredCollection
from service.search.points import Point, Selection
from tests.faults.drawn import draw_vector
from tests.faults.oracle import Oracle

POOL = 600  # ids, so that a collection that is written to for long does not grow for ever
MOST = 32  # points in a write


@dataclass(frozen=True, slots=True)
class Write:
    """One write; `version` tells it from all others."""

    what: Literal["upsert", "delete", "mark"]
    ids: tuple[str, ...]
    version: str


def writes(seed: str) -> Iterator[Write]:
    """Without end."""
    draw = random.Random(seed)
    number = 0
    while True:
        what = draw.choices(("upsert", "delete", "mark"), (6, 2, 1))[0]
        ids = draw.sample(range(POOL), draw.randint(1, MOST))
        yield Write(what, tuple(f"id-{one}" for one in ids), f"{seed}-{number}")  # type: ignore[arg-type]
        number += 1


def points_of(write: Write) -> list[Point]:
    """What an upsert writes: each point tells which write it is of."""
    return [
        Point(
            one, draw_vector(random.Random(f"{one} {write.version}")), f"written {write.version}", {"of": write.version}
        )
        for one in write.ids
    ]


def apply(write: Write, real: StoredCollection) -> None:
    """Do it."""
    if write.what == "upsert":
        real.upsert(points_of(write))
    elif write.what == "delete":
        real.delete(Selection(ids=write.ids))
    else:
        real.set_metadata(Selection(ids=write.ids), {"marked": write.version})


def note(write: Write, oracle: Oracle) -> None:
    """What it changes."""
    if write.what == "upsert":
        oracle.upsert(points_of(write))
    elif write.what == "delete":
        oracle.delete(write.ids)
    else:
        oracle.change_metadata(write.ids, lambda before: {**before, "marked": write.version})
