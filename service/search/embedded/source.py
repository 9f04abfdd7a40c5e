"""The store, as the filters of one collection ask it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from service.search.filters.model import Lookup, Range, TimeRange
from service.search.points import Metadata, PointId
from service.search.store.store import Store
from service.search.view import View


class StoreSource:
    """See Source in filters/cache.py."""

    def __init__(self, store: Store, number: int) -> None:
        self._store = store
        self._number = number

    def matching_rows(self, lookup: Lookup) -> NDArray[np.int64]:
        """See Source."""
        return self._store.matching_rows(self._number, lookup)

    def numbers(self, lookup: Range | TimeRange) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See Source."""
        return self._store.numbers(self._number, lookup)

    def metadata_after(self, row: int) -> Iterable[tuple[int, Metadata | None]]:
        """See Source."""
        return self._store.metadata_after(self._number, row)

    def rows_of_ids(self, ids: Sequence[PointId]) -> NDArray[np.int64]:
        """See Source."""
        return self._store.rows_of_ids(self._number, ids)

    def is_current(self, view: View) -> bool:
        """See Source."""
        return self._store.last_change(self._number) == view.change
