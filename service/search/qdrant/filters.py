"""Our filters as Qdrant's.

Qdrant tells 1 from 1.0 where it compares for equality, and our filters do not, so a number that is matched is asked for
as a range of one number. Where a listed number and something else stand in one array, or values of several listed
types, `except` may say less or more than the embedded store does.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import singledispatch

from qdrant_client import models

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
    Scalar,
    TimeRange,
)
from service.search.points import PointId, Selection
from service.search.qdrant.layout import Key, field, key_of

EXACT = 2**53  # below it a float is no other whole number
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def of_search(wanted: Filter | None, exclude: Iterable[PointId]) -> models.Filter | None:
    """The points that `wanted` lets through, without those of `exclude`; None is all points."""
    excluded = [has_id(exclude)] if (exclude := list(exclude)) else None
    if wanted is None and excluded is None:
        return None
    return models.Filter(must=None if wanted is None else [_joined(wanted)], must_not=excluded)


def of_selection(selection: Selection) -> models.Filter:
    """The points of `selection`."""
    if selection.filter is not None:
        return _joined(selection.filter)
    return models.Filter(must=[has_id(selection.ids or ())])


def has_id(ids: Iterable[PointId]) -> models.HasIdCondition:
    """Points with these ids of ours."""
    return models.HasIdCondition(has_id=[key_of(point_id) for point_id in ids])


def has_keys(keys: Sequence[Key]) -> models.Filter:
    """Points with these ids of Qdrant's."""
    return models.Filter(must=[models.HasIdCondition(has_id=list(keys))])


@singledispatch
def translated(condition: Condition) -> models.Condition:
    """One condition as Qdrant's."""
    raise TypeError(f"Qdrant has no condition for {type(condition).__name__}")


@translated.register
def _joined(condition: Filter) -> models.Filter:
    should = list(map(translated, condition.should)) or None
    several = should is not None and condition.min_should > 1
    return models.Filter(
        must=list(map(translated, condition.must)) or None,
        should=None if several else should,
        min_should=models.MinShould(conditions=should, min_count=condition.min_should) if several and should else None,
        must_not=list(map(translated, condition.must_not)) or None,
    )


@translated.register
def _match_any(condition: MatchAny) -> models.Condition:
    key = field(condition.key)
    texts, numbers, others = _by_type(condition.values)
    # An empty list matches nothing, and so does Qdrant; an empty `should` would match everything.
    wanted = [_match(key, models.MatchAny(any=texts))] if texts or not condition.values else []
    wanted += [_equal(key, number) for number in numbers]
    wanted += [_match(key, models.MatchValue(value=other)) for other in others]
    return wanted[0] if len(wanted) == 1 else models.Filter(should=wanted)


@translated.register
def _match_except(condition: MatchExcept) -> models.Condition:
    key = field(condition.key)
    texts, numbers, others = _by_type(condition.values)
    must: list[models.Condition] = [_other_than(key, texts)] if texts or not condition.values else []
    if numbers:
        must.append(_match(key, models.MatchExcept(**{"except": numbers})))
    must += [_match(key, models.MatchExcept(**{"except": []}))] if others else []
    return models.Filter(
        must=must,
        must_not=[
            *[_only_as_float(key, number) for number in numbers if abs(number) < EXACT],
            *[_match(key, models.MatchValue(value=other)) for other in others],
        ]
        or None,
    )


@translated.register
def _match_text(condition: MatchText) -> models.Condition:
    return _match(field(condition.key), models.MatchText(text=" ".join(condition.words)))


@translated.register
def _range(condition: Range) -> models.Condition:
    bounds = models.Range(gt=condition.gt, gte=condition.gte, lt=condition.lt, lte=condition.lte)
    return models.FieldCondition(key=field(condition.key), range=bounds)


@translated.register
def _time_range(condition: TimeRange) -> models.Condition:
    bounds = models.DatetimeRange(
        gt=_time(condition.gt), gte=_time(condition.gte), lt=_time(condition.lt), lte=_time(condition.lte)
    )
    return models.FieldCondition(key=field(condition.key), range=bounds)


@translated.register
def _is_empty(condition: IsEmpty) -> models.Condition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=field(condition.key)))


@translated.register
def _is_null(condition: IsNull) -> models.Condition:
    return models.IsNullCondition(is_null=models.PayloadField(key=field(condition.key)))


@translated.register
def _has_id(condition: HasId) -> models.Condition:
    return has_id(condition.ids)


def _by_type(values: Sequence[Scalar]) -> tuple[list[str], list[int], list[bool]]:
    texts = [value for value in values if isinstance(value, str)]
    booleans = [value for value in values if isinstance(value, bool)]
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    return texts, numbers, booleans


def _match(key: str, match: models.Match) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=match)


def _equal(key: str, number: int) -> models.FieldCondition:
    if abs(number) >= EXACT:
        return _match(key, models.MatchValue(value=number))
    return models.FieldCondition(key=key, range=models.Range(gte=number, lte=number))


def _only_as_float(key: str, number: int) -> models.Filter:
    """A value is 1.0 and none is 1: Qdrant's `except` takes it for something else than 1."""
    return models.Filter(must=[_equal(key, number)], must_not=[_match(key, models.MatchValue(value=number))])


def _other_than(key: str, texts: list[str]) -> models.Filter:
    """A value is none of `texts`. An index of a field's strings does not know its other values: they are asked for."""
    return models.Filter(
        should=[
            _match(key, models.MatchExcept(**{"except": texts})),
            models.FieldCondition(key=key, range=models.Range(gte=-1.7976931348623157e308)),
            _match(key, models.MatchValue(value=True)),
            _match(key, models.MatchValue(value=False)),
        ]
    )


def _time(moment: float | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return EPOCH + timedelta(seconds=moment)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if moment > 0 else datetime.min.replace(tzinfo=UTC)
