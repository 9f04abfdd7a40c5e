"""Bring what is in memory of a collection in step with the store: after a start, and after a write that got stuck."""

import numpy as np
from numpy.typing import NDArray

from service.search.embedded import contents
from service.search.embedded.contents import Contents
from service.search.store import reading
from service.search.store.store import Store
from service.search.view import bits_of, size_of


def caught_up(store: Store, number: int, known: Contents) -> Contents | None:
    """With the points that were written since, and without those that were deleted; None if it is of another past.

    Nothing may be written meanwhile. Raises Unavailable, and MemoryError.
    """
    count, live_rows = known.view.count, store.live_rows(number)
    if not len(known.index) == len(known.ids) == count:
        return None
    rows = known.view.rows[:count]
    newest = int(rows[-1]) if count else 0
    places = np.flatnonzero(np.isin(rows, live_rows, assume_unique=True))
    if len(places) != np.searchsorted(live_rows, newest, side="right"):
        return None
    live = bits_of(places, count)
    return with_later_blocks(store, number, contents.with_live(known, live, size_of(live), 0))


def with_later_blocks(store: Store, number: int, known: Contents) -> Contents:
    """With all points that the store has behind the last place; raises Unavailable and MemoryError."""
    newest = int(known.view.rows[known.view.count - 1]) if known.view.count else 0
    for block in store.blocks(number, after=newest):
        known = contents.changed(known, _nothing(), block.rows, block.ids, block.vectors, 0)
    found = known.view.live_count
    reading.require_count(store.collections()[number], found)
    return contents.with_live(known, known.view.live, found, store.last_change(number))


def _nothing() -> NDArray[np.int64]:
    return np.empty(0, np.int64)
