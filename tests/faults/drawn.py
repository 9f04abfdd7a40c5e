"""Points and filters at random, out of a few values so that they often meet; each filter with what it means."""

import random
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.search.filters.model import (
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
)
from service.search.points import Json, Metadata, PointId

Vectors = NDArray[np.float32]
LetsThrough: TypeAlias = Callable[[PointId, Metadata | None], bool]
Meant: TypeAlias = tuple[Condition, LetsThrough]

WIDTH = 16
CLUSTERS = (12, 3, 2, 2, 1)  # how often a vector is near each of some centres
NEAR, FAR = 4, 192  # the parts in which it differs; what is near is nearer than codes of one byte can tell
PARTS = 256  # of 1; every number is a multiple of 1/256 below 3, so that sums of products are exact in float32
COLOURS = ("red", "green", "blue")
WORDS = ("cat", "dog", "sits", "runs", "grass", "beach")


def draw_vector(draw: random.Random) -> Vectors:
    """Near one of some centres, as sentences are; now and then the centre itself, so that there are ties."""
    [cluster] = draw.choices(range(len(CLUSTERS)), CLUSTERS)
    centre = random.Random(cluster)
    numbers = np.array([centre.randint(-512, 512) for _ in range(WIDTH)])
    if draw.random() > 0.1:
        spread = draw.choice([NEAR, FAR])
        numbers += [draw.randint(-spread, spread) for _ in range(WIDTH)]
    return (numbers / PARTS).astype(np.float32)


def draw_text(draw: random.Random) -> str | None:
    """Some words, or no text."""
    return " ".join(draw.choices(WORDS, k=3)) if draw.random() < 0.7 else None


def draw_metadata(draw: random.Random) -> Metadata | None:
    """Each field is sometimes missing, and all of them now and then."""
    if draw.random() < 0.1:
        return None
    fields: Metadata = {
        "n": draw.randint(0, 9),
        "colour": draw.choice([*COLOURS, None]),
        "tags": list[Json](draw.sample(COLOURS, draw.randint(0, 2))),
        "deep": {"x": draw.randint(-8, 8) / 4},
        "note": draw.choice(["Red wine", "red grass", "a DOG"]),
    }
    return {name: value for name, value in fields.items() if draw.random() < 0.8}


def draw_filter(draw: random.Random, ids: list[PointId], depth: int = 2) -> tuple[Filter, LetsThrough]:
    """A filter, and which points it means."""
    must = [_condition(draw, ids, depth) for _ in range(draw.choice([0, 1, 1, 2]))]
    should = [_condition(draw, ids, depth) for _ in range(draw.choice([0, 0, 2, 3]))]
    must_not = [_condition(draw, ids, depth) for _ in range(draw.choice([0, 0, 1]))]
    least = draw.choice([1, 1, 2]) if should else 1

    def lets_through(one: PointId, metadata: Metadata | None) -> bool:
        return (
            all(test(one, metadata) for _, test in must)
            and (not should or sum(test(one, metadata) for _, test in should) >= least)
            and not any(test(one, metadata) for _, test in must_not)
        )

    return Filter(_conditions(must), _conditions(should), _conditions(must_not), least), lets_through


def _conditions(meant: list[Meant]) -> tuple[Condition, ...]:
    return tuple(condition for condition, _ in meant)


def _condition(draw: random.Random, ids: list[PointId], depth: int) -> Meant:
    makers = [_any_colour, _except_colour, _range, _deep, _empty, _null, _note]
    if depth and draw.random() < 0.15:
        return draw_filter(draw, ids, depth - 1)
    if draw.random() < 0.15:
        chosen = tuple(draw.sample(ids, min(len(ids), draw.choice([1, 5, 40]))))
        return HasId(chosen), lambda one, _: one in set(chosen)
    return draw.choice(makers)(draw)


def _any_colour(draw: random.Random) -> Meant:
    key = draw.choice(["colour", "tags"])
    wanted = tuple(draw.sample(COLOURS, draw.randint(1, 2)))
    return MatchAny(key, wanted), lambda _, metadata: any(value in wanted for value in _values(metadata, key))


def _except_colour(draw: random.Random) -> Meant:
    key = draw.choice(["colour", "tags"])
    unwanted = tuple(draw.sample(COLOURS, draw.randint(1, 2)))
    return MatchExcept(key, unwanted), lambda _, metadata: any(
        value is not None and value not in unwanted for value in _values(metadata, key)
    )


def _range(draw: random.Random) -> Meant:
    low, high = sorted(draw.choices(range(10), k=2))
    return Range("n", gte=low, lt=high), lambda _, metadata: any(
        isinstance(value, int) and low <= value < high for value in _values(metadata, "n")
    )


def _deep(draw: random.Random) -> Meant:
    bound = draw.randint(-8, 8) / 4

    def test(_: PointId, metadata: Metadata | None) -> bool:
        deep = (metadata or {}).get("deep")
        return isinstance(deep, dict) and isinstance(deep["x"], float) and deep["x"] > bound

    return Range("deep.x", gt=bound), test


def _empty(draw: random.Random) -> Meant:
    key = draw.choice(["colour", "tags", "n"])
    return IsEmpty(key), lambda _, metadata: (metadata or {}).get(key) in (None, [])


def _null(draw: random.Random) -> Meant:
    return IsNull("colour"), lambda _, metadata: "colour" in (metadata or {}) and _values(metadata, "colour") == [None]


def _note(draw: random.Random) -> Meant:
    word = draw.choice(["red", "dog", "wine"])
    return MatchText("note", (word,)), lambda _, metadata: any(
        word in str(value).lower().split() for value in _values(metadata, "note")
    )


def _values(metadata: Metadata | None, key: str) -> list[Json]:
    found = (metadata or {}).get(key, [])
    return found if isinstance(found, list) else [found]
