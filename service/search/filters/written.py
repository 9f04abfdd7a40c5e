"""Filters as JSON in Qdrant's shapes: the way back from `parse_filter`."""

from collections.abc import Sequence

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
    TimeRange,
)
from service.search.filters.times import written

BOUNDS = ("gt", "gte", "lt", "lte")


def to_json(filter: Filter) -> dict[str, object]:
    """What `parse_filter` reads as this filter. Times are written to the microsecond."""
    clauses: dict[str, object] = {
        "must": _all(filter.must),
        "should": _all(filter.should),
        "must_not": _all(filter.must_not),
    }
    if filter.min_should > 1:
        clauses["min_should"] = {"conditions": clauses.pop("should"), "min_count": filter.min_should}
    return {name: conditions for name, conditions in clauses.items() if conditions}


def _all(conditions: Sequence[Condition]) -> list[dict[str, object]]:
    return [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> dict[str, object]:
    match condition:
        case Filter():
            return to_json(condition)
        case HasId(ids):
            return {"has_id": list(ids)}
        case IsEmpty(key):
            return {"is_empty": {"key": key}}
        case IsNull(key):
            return {"is_null": {"key": key}}
        case Range() | TimeRange():
            return {"key": condition.key, "range": _bounds(condition)}
    return {"key": condition.key, "match": _match(condition)}


def _match(condition: MatchAny | MatchExcept | MatchText) -> dict[str, object]:
    match condition:
        case MatchText(_, words):
            return {"text": " ".join(words)}
        case MatchExcept(_, values):
            return {"except": list(values)}
        case MatchAny(_, (value,)):
            return {"value": value}
    return {"any": list(condition.values)}


def _bounds(condition: Range | TimeRange) -> dict[str, object]:
    given = {name: getattr(condition, name) for name in BOUNDS if getattr(condition, name) is not None}
    return given if isinstance(condition, Range) else {name: written(moment) for name, moment in given.items()}
