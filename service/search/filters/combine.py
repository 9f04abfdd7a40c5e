"""Sets of places joined as a filter says."""

from collections.abc import Callable, Iterator

import numpy as np

from service.search.filters.model import Condition, Filter, HasId, Leaf
from service.search.view import Bits, none


def conditions_of(filter: Filter) -> Iterator[Leaf | HasId]:
    """Every condition in a filter and in the filters in it."""
    for condition in (*filter.must, *filter.should, *filter.must_not):
        if isinstance(condition, Filter):
            yield from conditions_of(condition)
        else:
            yield condition


def combined(filter: Filter, count: int, set_of: Callable[[Leaf | HasId], Bits]) -> Bits:
    """The places below `count` that the filter lets through; `set_of` tells those of one condition."""

    def bits_of(condition: Condition) -> Bits:
        return combined(condition, count, set_of) if isinstance(condition, Filter) else set_of(condition)

    found = every(count)
    for condition in filter.must:
        found &= bits_of(condition)
    for condition in filter.must_not:
        found &= ~bits_of(condition)
    if filter.should:
        found &= _at_least(filter.min_should, [bits_of(condition) for condition in filter.should])
    return found


def every(count: int) -> Bits:
    """All places below `count`."""
    return cut(~none(count), count)


def cut(bits: Bits, count: int) -> Bits:
    """A copy of a set without the places from `count` on, as long as a set of `count` places is."""
    kept = bits[: len(none(count))].copy()
    whole, rest = divmod(count, 8)
    kept[whole + 1 :] = 0
    kept[whole : whole + 1] &= (1 << rest) - 1
    return kept


def _at_least(least: int, sets: list[Bits]) -> Bits:
    """The places that are in so many of the sets."""
    if least == 1:
        joined: Bits = np.bitwise_or.reduce(sets)
        return joined
    counts = np.zeros(len(sets[0]) * 8, np.uint16)
    for bits in sets:
        counts += np.unpackbits(bits)
    return np.packbits(counts >= least)
