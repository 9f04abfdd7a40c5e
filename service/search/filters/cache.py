"""Filters compiled to sets of places, remembering what was found out for the next search."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.search.filters.columns import Column, Columns
from service.search.filters.combine import combined, conditions_of, every
from service.search.filters.evaluate import test_of
from service.search.filters.known import NOTHING, Known, KnownSets, key_of
from service.search.filters.model import (
    Filter,
    HasId,
    HasValue,
    IsEmpty,
    Leaf,
    Lookup,
    MatchText,
    Range,
    TimeRange,
)
from service.search.points import Metadata, PointId
from service.search.view import Bits, View, bits_of, places_of_rows

MOST_READ = 1_000  # with more new points than that, asking the table again is quicker than reading each


class Source(Protocol):
    """What is asked of the store, about one collection. An error of these goes through to the caller of `bits`."""

    def matching_rows(self, lookup: Lookup) -> NDArray[np.int64]:
        """The rows that meet a condition."""

    def numbers(self, lookup: Range | TimeRange) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """All values of the field that the lookup is about, ascending, and the row of each."""

    def metadata_after(self, row: int) -> Iterable[tuple[int, Metadata | None]]:
        """Every row above `row` with its metadata."""

    def rows_of_ids(self, ids: Sequence[PointId]) -> NDArray[np.int64]:
        """The rows of the points with these ids; missing ones are left out."""

    def is_current(self, view: View) -> bool:
        """Whether the store holds what `view` says: False from the moment in which a later write is committed."""


class FilterCache:
    """Compiles the filters of one collection.

    A row never changes, and a place keeps its row until the index is rebuilt: what was found out about a place stays
    true, so the set of a condition is kept and only new places are looked at.

    A set may lack points that the view has and the store has no more when it is read. That is harmless where they were
    deleted, but a replaced point would be found neither as it was nor as it is. So whoever reads the store asks
    whether the view is still current afterwards, and a set is used for no view that is older than the one it passed
    with.

    Any thread may call `bits`; KnownSets has the only lock, and nobody reads the store while holding it.
    """

    def __init__(self, source: Source, most_bytes: int) -> None:
        self._source = source
        self._kept = KnownSets(most_bytes)
        self._columns = Columns(most_bytes)

    def bits(self, filter: Filter, view: View) -> Bits | None:
        """The places of `view` that the filter lets through, those of deleted points perhaps among them.

        None if the store has moved on from the view: take the present one and ask again, which is quick.
        """
        conditions = [*conditions_of(filter)]
        known = self._known({key_of(one): one for one in conditions if not isinstance(one, HasId)}, view)

        def set_of(condition: Leaf | HasId) -> Bits:
            if isinstance(condition, HasId):
                return bits_of(places_of_rows(self._source.rows_of_ids(condition.ids), view), view.count)
            return known[key_of(condition)].without_end(view.count)

        found = combined(filter, view.count, set_of)
        was_read = HasId in map(type, conditions) or not all(one.holds_for(view) for one in known.values())
        current = not was_read or self._source.is_current(view)
        for key, one in known.items():
            self._kept.keep(view.generation, key, replace(one, certain=current))
        return found if current else None

    def _known(self, leaves: Mapping[bytes, Leaf], view: View) -> dict[bytes, Known]:
        """What is known of these conditions once the store was asked for what was not."""
        known = {key: self._remembered(key, leaf, view) for key, leaf in leaves.items()}
        for upto in {one.upto for one in known.values() if one.upto < view.count}:
            behind = {key: one for key, one in known.items() if one.upto == upto}
            known |= self._read_on(behind, leaves, view)
        return known

    def _remembered(self, key: bytes, leaf: Leaf, view: View) -> Known:
        """What is known, but for the places that it is best to read one by one."""
        known = self._kept.get(view.generation, key)
        if isinstance(leaf, MatchText):
            return known or NOTHING
        if known and view.count - known.upto <= MOST_READ:
            return known
        if isinstance(leaf, IsEmpty):
            return Known.of(every(view.count) & ~self._looked_up(HasValue(leaf.key), view), view.count)
        if isinstance(leaf, Range | TimeRange) and (column := self._column(leaf, view)):
            return replace(Known.of(column.within(leaf), column.upto), certain=True)
        return Known.of(self._looked_up(leaf, view), view.count)

    def _column(self, leaf: Range | TimeRange, view: View) -> Column | None:
        """The numbers of a field, where they are kept or it is time to keep them: for many ranges, each used once."""
        field = f"{type(leaf).__name__} {leaf.key}"
        column = self._columns.get(view.generation, field)
        if column and 0 <= view.count - column.upto <= MOST_READ:
            return column
        if not self._columns.is_worth(field):
            return None
        values, rows = self._source.numbers(leaf)
        known = view.rows[: view.count]
        places = np.searchsorted(known, rows)
        there = known[np.minimum(places, view.count - 1)] == rows if view.count else np.zeros(len(rows), np.bool_)
        column = Column.of(values[there], places[there], view.count)
        if column is None or not self._source.is_current(view):
            return None
        self._columns.keep(view.generation, field, column)
        return column

    def _looked_up(self, lookup: Lookup, view: View) -> Bits:
        return bits_of(places_of_rows(self._source.matching_rows(lookup), view), view.count)

    def _read_on(self, behind: Mapping[bytes, Known], leaves: Mapping[bytes, Leaf], view: View) -> dict[bytes, Known]:
        """Sets that all end at the same place, with the places behind it."""
        tests = {key: test_of(leaves[key]) for key in behind}
        rows: dict[bytes, list[int]] = {key: [] for key in behind}
        upto = next(iter(behind.values())).upto
        for row, metadata in self._source.metadata_after(int(view.rows[upto - 1]) if upto else 0):
            for key, test in tests.items():
                if test(metadata):
                    rows[key].append(row)
        found = {key: places_of_rows(np.array(matching, np.int64), view) for key, matching in rows.items()}
        return {key: one.grown(found[key], view.count) for key, one in behind.items()}
