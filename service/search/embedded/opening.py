"""Fill a collection's memory at start-up: from the kept index where it is to be believed, else from the store."""

from pathlib import Path

from service.search.embedded import index_file
from service.search.embedded.catching_up import caught_up, with_later_blocks
from service.search.embedded.collection import StoredCollection
from service.search.store.store import Store

FOLDER = "indexes"


def index_path(collection: StoredCollection) -> Path:
    """Where its index is kept."""
    return collection.store.path.parent / FOLDER / f"{collection.number}.index"


def fill(collection: StoredCollection) -> None:
    """Raises Unavailable where the store is damaged."""
    store, number = collection.store, collection.number
    kept = index_file.read(index_path(collection), collection.static_info, store.recorded_index(number))
    known = None if kept is None else caught_up(store, number, kept)
    if known is None:
        known = with_later_blocks(store, number, collection.contents)
    else:
        collection.unverified = True
        collection.kept_count = known.view.count
    collection.contents = known


def sweep(store: Store) -> None:
    """Delete index files of collections that are gone, and what was half written when the process was killed."""
    used = {f"{number}.index" for number in store.collections()}
    for left in (store.path.parent / FOLDER).glob("*"):
        if left.name not in used and left.is_file():
            left.unlink(missing_ok=True)
