"""Metadata, conditions and filters at random, out of a few names and values so that they often meet."""

from typing import Any

from hypothesis import strategies as st

from service.search.filters.model import (
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    Leaf,
    MatchAny,
    MatchExcept,
    MatchText,
    Range,
    TimeRange,
)
from service.search.points import Metadata

LONG = "red " * 50
NOON = "2026-01-31T12:00:00Z"
STRINGS = ("", "true", "red wine", "2026-01-31", "2026-01-31 13:00:00.5+01:00", LONG)
INTEGERS = (0, 2, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS = (1.5, -0.0, float(2**53), 1e300)
BEYOND_64_BITS = (2**63, 2**64 - 1)
MOMENTS = (1769860800.0, 1769860800.5, 1769817600.0, -1.5)
KEYS = ("a", "b", "a b")
PATHS = ("b", '"a b"', "a.b", "a[].b", "b[].a", 'a."a b"', "a[].b[].a", "a[][]", "a[][].b", "missing")

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([1, "1", "Red", NOON, 1.0, True, None]),
    st.sampled_from([1, "1", "Red", NOON, False]),
    st.sampled_from([*STRINGS, *INTEGERS, *FLOATS, *BEYOND_64_BITS]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=6,
)
METADATA: st.SearchStrategy[Metadata] = st.fixed_dictionaries(
    {"a": SCALARS | st.lists(SCALARS, max_size=3)}, optional={"b": JSON, "a b": JSON}
) | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3)
IDS = st.sampled_from([0, 1, 2, 3, "1", "2"])


def _tuples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3).map(tuple)


def _bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), values, min_size=1, max_size=2)


def _leaf() -> st.SearchStrategy[Leaf]:
    path = st.just("a") | st.sampled_from(PATHS)
    string = st.sampled_from(["1", "Red", NOON]) | st.sampled_from(STRINGS)
    integer = st.just(1) | st.sampled_from(INTEGERS)
    alike = _tuples(string) | _tuples(integer)
    words = st.sampled_from([("red",), ("wine", "red"), ("1",)])
    numbers, moments = st.sampled_from([1, *INTEGERS, *FLOATS]), st.sampled_from(MOMENTS)
    return st.one_of(
        st.builds(MatchAny, path, st.tuples(st.booleans() | string | integer) | alike),
        st.builds(MatchExcept, path, alike),
        st.builds(MatchText, path, words),
        st.builds(lambda key, bounds: Range(key, **bounds), path, _bounds(numbers)),
        st.builds(lambda key, bounds: TimeRange(key, **bounds), path, _bounds(moments)),
        st.builds(IsEmpty, path),
        st.builds(IsNull, path),
    )


def _around(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    def joined(must: Any, should: Any, must_not: Any, least: int) -> Filter:
        return Filter(must, should, must_not, min(least, max(1, len(should))))

    clause = _tuples(conditions)
    return st.builds(joined, clause, clause, clause, st.integers(1, 3))


LEAVES = _leaf()
CONDITIONS: st.SearchStrategy[Any] = LEAVES | st.builds(HasId, _tuples(IDS))
FILTERS = _around(CONDITIONS | _around(CONDITIONS))
