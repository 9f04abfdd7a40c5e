"""Whether one point meets a condition: what a filter means, said without a table."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from service.search.filters.entries import number
from service.search.filters.model import (
    Condition,
    Filter,
    HasId,
    HasValue,
    IsEmpty,
    IsNull,
    Leaf,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    TimeRange,
)
from service.search.filters.paths import Step, canonical, steps
from service.search.filters.times import seconds
from service.search.filters.words import words_of

if TYPE_CHECKING:
    from service.search.points import Json, Metadata, PointId

Test: TypeAlias = "Callable[[Metadata | None], bool]"


def matches(condition: Condition, point_id: "PointId", metadata: "Metadata | None") -> bool:
    """Whether the point of this id and metadata meets `condition`."""
    if isinstance(condition, HasId):
        return point_id in condition.ids
    if not isinstance(condition, Filter):
        return test_of(condition)(metadata)
    meets = partial(matches, point_id=point_id, metadata=metadata)
    return (
        all(map(meets, condition.must))
        and not any(map(meets, condition.must_not))
        and (not condition.should or sum(map(meets, condition.should)) >= condition.min_should)
    )


def test_of(leaf: Leaf | HasValue) -> Test:
    """`leaf` made ready to be asked of much metadata."""
    path = steps(leaf.key)
    if isinstance(leaf, IsEmpty | HasValue):
        empty = isinstance(leaf, IsEmpty)
        return lambda metadata: all(map(_is_empty, _selected(metadata or {}, path))) is empty
    if isinstance(leaf, IsNull):
        return lambda metadata: any(map(_is_null, _selected(metadata or {}, path)))
    accepts = _value_test(leaf)
    return lambda metadata: any(map(accepts, _values(metadata or {}, path)))


def _value_test(leaf: MatchAny | MatchExcept | MatchText | Range | TimeRange) -> "Callable[[Json], bool]":
    """Whether one value of the field is enough."""
    if isinstance(leaf, MatchText):
        wanted = frozenset(leaf.words)
        return lambda value: isinstance(value, str) and wanted.issubset(words_of(value))
    if isinstance(leaf, Range):
        return lambda value: (
            not isinstance(value, bool) and isinstance(value, int | float) and _within(leaf, number(value))
        )
    if isinstance(leaf, TimeRange):
        return lambda value: isinstance(value, str) and _within(leaf, seconds(value))
    listed = frozenset(map(_typed, leaf.values))
    if isinstance(leaf, MatchAny):
        return lambda value: _typed(value) in listed
    return lambda value: not _is_nothing(value) and _typed(value) not in listed


def values_at(metadata: "Metadata", key: str) -> "list[Json]":
    """The values of the field `key`, those of arrays one by one; none for a key that is no path."""
    path = canonical(key)
    return [] if path is None else [*_values(metadata, steps(path))]


def _selected(value: "Json", path: tuple[Step, ...]) -> "Iterator[Json]":
    """What the path leads to: at its end arrays are still whole."""
    (name, arrays), *rest = path
    if not isinstance(value, dict) or name not in value:
        return
    for inner in _looked_into(value[name], arrays if rest else max(0, arrays - 1)):
        if rest:
            yield from _selected(inner, tuple(rest))
        elif not arrays or isinstance(inner, list):
            yield inner


def _looked_into(value: "Json", arrays: int) -> "Iterator[Json]":
    if not arrays:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _looked_into(item, arrays - 1)


def _values(metadata: "Metadata", path: tuple[Step, ...]) -> "Iterator[Json]":
    for value in _selected(metadata, path):
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _typed(value: "Json") -> "tuple[type, Json]":
    """Equal for equal values only: to Python, true is 1. Objects and arrays equal nothing that can be listed."""
    if isinstance(value, bool | str):
        return type(value), value
    return (float, value) if isinstance(value, int | float) else (object, None)


def _is_nothing(value: "Json") -> bool:
    """Null, or what JSON can only say as null."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _is_empty(value: "Json") -> bool:
    return _is_nothing(value) or value == []


def _is_null(value: "Json") -> bool:
    return any(map(_is_nothing, value)) if isinstance(value, list) else _is_nothing(value)


def _within(bounds: Range | TimeRange, value: float | None) -> bool:
    return (
        value is not None
        and math.isfinite(value)
        and (bounds.gt is None or value > bounds.gt)
        and (bounds.gte is None or value >= bounds.gte)
        and (bounds.lt is None or value < bounds.lt)
        and (bounds.lte is None or value <= bounds.lte)
    )
