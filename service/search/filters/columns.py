"""The numbers of one field by place, in memory: what a range lets through without asking the table each time."""

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.search.filters.entries import number
from service.search.filters.model import Range, TimeRange
from service.search.view import Bits, Places, bits_of

ASKED_BEFORE = 2  # ranges of a field that the table answers; from the next on it is worth its memory
EXACT_BELOW = 2**53  # whole numbers from here on are not all float64
MOST_FIELDS = 1_000  # that are counted

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of a field, ascending, and the place of each; right about every place below `upto`."""

    values: Numbers
    places: Places
    upto: int

    @classmethod
    def of(cls, values: Numbers, places: Places, upto: int) -> "Column | None":
        """None where float64 cannot tell all values apart."""
        if len(values) and not np.abs(values).max() < EXACT_BELOW:
            return None
        return cls(values, places, upto)

    def within(self, bounds: Range | TimeRange) -> Bits:
        """The places below `upto` of which some value keeps the bounds."""
        first, last = 0, len(self.values)
        for bound, side in ((bounds.gt, "right"), (bounds.gte, "left")):
            if bound is not None:
                first = max(first, int(np.searchsorted(self.values, float(number(bound)), side)))  # type: ignore[call-overload]
        for bound, side in ((bounds.lt, "left"), (bounds.lte, "right")):
            if bound is not None:
                last = min(last, int(np.searchsorted(self.values, float(number(bound)), side)))  # type: ignore[call-overload]
        return bits_of(self.places[first:last], self.upto)


class Columns:
    """Columns by field, of the newest generation of places. Any thread may call; `_lock` guards everything."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._generation = -1
        self._asked: Counter[str] = Counter()
        self._by_field: OrderedDict[str, Column] = OrderedDict()

    def get(self, generation: int, field: str) -> Column | None:
        """The column, if it is kept."""
        with self._lock:
            column = self._by_field.get(field) if generation == self._generation else None
            if column:
                self._by_field.move_to_end(field)
        return column

    def is_worth(self, field: str) -> bool:
        """Whether to make the column now; the next call counts anew."""
        with self._lock:
            if len(self._asked) > MOST_FIELDS:
                self._asked.clear()
            self._asked[field] += 1
            worth = self._asked[field] > ASKED_BEFORE
            if worth:
                del self._asked[field]
        return worth

    def keep(self, generation: int, field: str, column: Column) -> None:
        """Remember it; for room, what was not asked for longest is forgotten."""
        with self._lock:
            if generation > self._generation:
                self._by_field.clear()
                self._generation = generation
            old = self._by_field.get(field)
            if generation < self._generation or (old and old.upto >= column.upto):
                return
            self._by_field[field] = column
            self._by_field.move_to_end(field)
            while self._by_field and sum(map(_size, self._by_field.values())) > self._most_bytes:
                self._by_field.popitem(last=False)


def _size(column: Column) -> int:
    return column.values.nbytes + column.places.nbytes
