"""Single conditions from JSON in Qdrant's shapes."""

import math

from service.errors import InvalidInput
from service.search.filters.entries import INT64
from service.search.filters.model import (
    HasId,
    IsEmpty,
    IsNull,
    Leaf,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    Scalar,
    TimeRange,
)
from service.search.filters.paths import MOST_PATH_CHARS, canonical
from service.search.filters.refusal import a_list, a_text, an_object, is_integer, only_field, refuse
from service.search.filters.times import seconds
from service.search.filters.words import words_of

MOST_VALUES = 1_000  # in one list of a match
MOST_IDS = 10_000
MOST_WORDS = 64
MOST_ID_CHARS = 128
LARGEST_ID = 2**63 - 1

FIELDS = ("key", "match", "range", "has_id", "is_empty", "is_null")
UNSUPPORTED = ("nested", "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "has_vector", "slice")
MATCHES = ("value", "any", "except", "text")
UNSUPPORTED_MATCHES = ("phrase", "text_any", "prefix", "substring")
BOUNDS = ("gt", "gte", "lt", "lte")


def parse_condition(value: object, where: str, also_known: tuple[str, ...]) -> Leaf | HasId:
    """The condition that `value` says; `also_known` are fields that could be in its place."""
    fields = an_object(value, where, (*FIELDS, *also_known), UNSUPPORTED)
    form, inner = only_field(fields, where, ("match", "range", "has_id", "is_empty", "is_null"))
    if len(fields) != (2 if form in ("match", "range") else 1):
        told = "`key` and nothing else" if form in ("match", "range") else "nothing else"
        raise InvalidInput(f"{where} has `{form}`; expected {told} beside it.")
    at = f"{where}.{form}"
    if form == "has_id":
        return HasId(_ids(inner, at))
    if form in ("is_empty", "is_null"):
        key = _key(an_object(inner, at, ("key",)).get("key"), f"{at}.key")
        return IsEmpty(key) if form == "is_empty" else IsNull(key)
    key = _key(fields.get("key"), f"{where}.key")
    return _match(key, inner, at) if form == "match" else _range(key, inner, at)


def _key(value: object, where: str) -> str:
    path = canonical(a_text(value, where))
    if path is None:
        raise InvalidInput(
            f"{where} is not the path of a field; expected up to {MOST_PATH_CHARS} characters such as `a.b`, with []"
            f' after an array of objects as in `a[].b`, and quotes around a key that has such signs as in `"a.b"`.'
        )
    return path


def _match(key: str, value: object, where: str) -> Leaf:
    operator, inner = only_field(an_object(value, where, MATCHES, UNSUPPORTED_MATCHES), where, MATCHES)
    at = f"{where}.{operator}"
    if operator == "value":
        return MatchAny(key, (_scalar(inner, at),))
    if operator == "text":
        return MatchText(key, _words(inner, at))
    values = _values(inner, at)
    return MatchAny(key, values) if operator == "any" else MatchExcept(key, values)


def _scalar(value: object, where: str) -> Scalar:
    if isinstance(value, str):
        return a_text(value, where)
    if isinstance(value, bool):
        return value
    if not isinstance(value, int):
        refuse(where, value, "a string, an integer or a boolean (`range` is there for numbers with a fraction)")
    if value not in INT64:
        raise InvalidInput(f"{where} is an integer of more than 64 bits; expected one from -2^63 to 2^63-1.")
    return value


def _values(value: object, where: str) -> tuple[Scalar, ...]:
    items = a_list(value, where, "strings or of integers", MOST_VALUES)
    values = tuple(_scalar(item, f"{where}[{position}]") for position, item in enumerate(items))
    for position, item in enumerate(values):
        if isinstance(item, bool):
            refuse(f"{where}[{position}]", item, "a string or an integer (`value` takes a boolean)")
        if type(item) is not type(values[0]):
            refuse(f"{where}[{position}]", item, "all of the list to be strings, or all integers")
    return values


def _words(value: object, where: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(words_of(a_text(value, where))))
    if not 1 <= len(words) <= MOST_WORDS:
        raise InvalidInput(f"{where} has {len(words)} different words; expected 1 to {MOST_WORDS}.")
    return words


def _range(key: str, value: object, where: str) -> Range | TimeRange:
    bounds = an_object(value, where, BOUNDS)
    if not bounds:
        raise InvalidInput(f"{where} has no bound; expected one or more of {', '.join(BOUNDS)}.")
    if any(isinstance(bound, str) for bound in bounds.values()):
        return TimeRange(key, **{name: _time(bound, f"{where}.{name}") for name, bound in bounds.items()})
    return Range(key, **{name: _number(bound, f"{where}.{name}") for name, bound in bounds.items()})


def _time(value: object, where: str) -> float:
    if not isinstance(value, str):
        refuse(where, value, "an RFC 3339 time as the other bounds are")
    moment = seconds(value)
    if moment is None:
        raise InvalidInput(f"{where} is a string that is no time; expected RFC 3339 such as 2026-01-31T12:00:00Z.")
    return moment


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(where, value, "a number or an RFC 3339 time")
    if isinstance(value, int) and value in INT64:
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(f"{where} is not a finite number; leave a bound out where there is none.")
    return number


def _ids(value: object, where: str) -> tuple[str | int, ...]:
    items = a_list(value, where, "ids", MOST_IDS)
    return tuple(_id(item, f"{where}[{position}]") for position, item in enumerate(items))


def _id(value: object, where: str) -> str | int:
    if isinstance(value, str) and 1 <= len(value) <= MOST_ID_CHARS:
        return a_text(value, where)
    if isinstance(value, int) and is_integer(value) and 0 <= value <= LARGEST_ID:
        return value
    raise InvalidInput(
        f"{where} is no id; expected a string of 1 to {MOST_ID_CHARS} characters or an integer from 0 to 2^63-1."
    )
