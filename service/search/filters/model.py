"""A filter as a value: conditions on metadata and ids, joined by must, should and must_not."""

from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | int | bool


@dataclass(frozen=True, slots=True)
class MatchAny:
    """A value of the field is one of `values`; `match: {"value": x}` is the case of one.

    1 and 1.0 are equal, and differ from "1"; true is not 1."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class MatchExcept:
    """The field has a value that is none of `values`."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class MatchText:
    """Every one of `words` (lower case) is a word of one string of the field."""

    key: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number of the field is within the bounds that are given; None is no bound."""

    key: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """An RFC 3339 time of the field is within the bounds that are given, in seconds since 1970, UTC."""

    key: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """The field is missing, null or []."""

    key: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """The field is there and null."""

    key: str


@dataclass(frozen=True, slots=True)
class HasId:
    """The point's id is one of `ids`."""

    ids: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class HasValue:
    """The opposite of IsEmpty: what is asked of the table of fields in its place."""

    key: str


Leaf: TypeAlias = MatchAny | MatchExcept | MatchText | Range | TimeRange | IsEmpty | IsNull
"""Conditions on metadata."""

Lookup: TypeAlias = MatchAny | MatchExcept | Range | TimeRange | IsNull | HasValue
"""What the table of fields can answer."""

Condition: TypeAlias = "Leaf | HasId | Filter"


@dataclass(frozen=True, slots=True)
class Filter:
    """Lets a point through that meets all of `must`, one of `should` (if there is any) and none of `must_not`.

    `min_should` asks for so many of `should`.
    """

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()
    min_should: int = 1
