"""Fill a collection's memory at start-up: from the kept index where it is to be believed, else from the store."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.errors import Unavailable
from service.search.embedded import contents, index_file
from service.search.embedded.collection import StoredCollection
from service.search.embedded.contents import Contents
from service.search.store.store import Store
from service.search.view import bits_of, size_of

FOLDER = "indexes"


def index_path(collection: StoredCollection) -> Path:
    """Where its index is kept."""
    return collection.store.path.parent / FOLDER / f"{collection.number}.index"


def fill(collection: StoredCollection) -> None:
    """Raises Unavailable where the store is damaged."""
    store, number = collection.store, collection.number
    kept = index_file.read(index_path(collection), collection.static_info, store.recorded_index(number))
    known = None if kept is None else _brought_up_to_date(collection, kept)
    if known is None:
        known = collection.contents
        for block in store.blocks(number):
            known = contents.changed(known, _nothing(), block.rows, block.ids, block.vectors, 0)
    else:
        collection.unverified = True
        collection.kept_count = known.view.count
    count = store.count(number)
    if known.view.live_count != count:
        raise Unavailable(
            f'collection "{collection.static_info.name}" has {known.view.live_count} points, its count says {count}'
        )
    change = store.last_change(number)
    collection.contents = contents.with_live(known, known.view.live, known.view.live_count, change)


def sweep(store: Store) -> None:
    """Delete index files of collections that are gone, and what was half written when the process was killed."""
    used = {f"{number}.index" for number in store.collections()}
    for left in (store.path.parent / FOLDER).glob("*"):
        if left.name not in used and left.is_file():
            left.unlink(missing_ok=True)


def _brought_up_to_date(collection: StoredCollection, kept: Contents) -> Contents | None:
    """With the points that were written since, and without those that were deleted; None if it is of another past."""
    store, number = collection.store, collection.number
    live_rows = store.live_rows(number)
    rows = kept.view.rows
    newest = int(rows[-1]) if len(rows) else 0
    places = np.flatnonzero(np.isin(rows, live_rows, assume_unique=True))
    if len(places) != np.searchsorted(live_rows, newest, side="right"):
        return None
    live = bits_of(places, len(rows))
    known = contents.with_live(kept, live, size_of(live), 0)
    for block in store.blocks(number, after=newest):
        known = contents.changed(known, _nothing(), block.rows, block.ids, block.vectors, 0)
    return known


def _nothing() -> NDArray[np.int64]:
    return np.empty(0, np.int64)
