"""The work on an index that can wait: taking new vectors in, building it anew, keeping it for the next start."""

import logging
import threading
from collections.abc import Callable, Iterable

import numpy as np

from models.cores import usable_cores
from service.errors import NotFound, ServiceError, Unavailable
from service.search.embedded import index_file, kinds
from service.search.embedded.collection import StoredCollection
from service.search.embedded.opening import index_path
from service.search.embedded.rebuild import CHUNK, Rebuild, Rows
from service.search.indexes.base import NotNow, VectorIndex, Vectors
from service.search.indexes.flat import FlatIndex
from service.search.indexes.graph import GraphIndex
from service.search.indexes.ivf import IvfIndex
from service.search.view import places_of

MANY_BEHIND = 20_000  # places that wait for the graph, from which on all cores work on them
LAST_GO = 1_024  # places that may be left for the go during which writes wait
SAMPLE = 262_144  # vectors that centroids are made from, at most
KEEP_FROM = 20_000  # points from which an index is kept on disk: below, building it takes half a second
KEEP_AFTER = 0.1  # share of new places after which it is kept again
IDLE_S = 0.2

log = logging.getLogger(__name__)


class Caretaker:
    """One thread that tends all collections, a bit at a time, until it is stopped."""

    def __init__(self, collections: Callable[[], Iterable[StoredCollection]]) -> None:
        self._collections = collections
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, in the middle of a rebuild too, and keep what is worth it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            worked = [self._tend(collection) for collection in self._collections()]
            if not any(worked):
                self._stopping.wait(IDLE_S)
        for collection in self._collections():
            _keep_if_due(collection, after=0.0)

    def _tend(self, collection: StoredCollection) -> bool:
        """Whether there was something to do."""
        try:
            return tend(collection, self._stopping.is_set)
        except NotFound:  # dropped meanwhile
            return False
        except (ServiceError, OSError, MemoryError) as error:  # the store or the disk may be out of order for a while
            log.warning("index not tended", extra={"reason": str(error), "collection": collection.static_info.name})
            self._stopping.wait(5)
            return False


def tend(collection: StoredCollection, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Do one piece of work for a collection; returns whether there was one."""
    now = collection.contents
    if collection.dropped:
        return False
    if collection.is_behind:
        collection.catch_up()
        return True
    behind = now.index.unfinished()
    if behind:
        now.index.tend(usable_cores() if behind > MANY_BEHIND else 1, now.view.count)
        return True
    if kinds.is_due(collection.static_info, now.index, now.view.count, now.view.live_count):
        _rebuild(collection, stopping)
        return True
    if collection.unverified:
        _verify(collection, stopping)
        return True
    return _keep_if_due(collection, KEEP_AFTER)


def _rebuild(collection: StoredCollection, stopping: Callable[[], bool]) -> None:
    """Build beside the searches, then put the new index in the place of the old one while writes wait a moment."""
    collection.building = True
    generation = collection.contents.view.generation

    def given_up() -> bool:
        return stopping() or collection.is_behind or collection.contents.view.generation != generation

    try:
        rebuild = Rebuild(_new_index(collection), lambda rows: _stored_vectors(collection, rows))
        while rebuild.behind(collection.contents) > LAST_GO or rebuild.index.unfinished():
            if given_up():
                return
            if rebuild.behind(collection.contents) > LAST_GO:
                rebuild.take_over(collection.contents, given_up)
            elif rebuild.index.unfinished():
                rebuild.index.tend(usable_cores(), len(rebuild.index))
        with collection.lock:
            if collection.is_behind or collection.contents.view.generation != generation:
                return
            rebuild.take_over(collection.contents)
            collection.contents = rebuild.finish(collection.contents)
            collection.kept_count = 0
    finally:
        collection.building = False


def _new_index(collection: StoredCollection) -> VectorIndex:
    info, now = collection.static_info, collection.contents
    keep = info.storage == "float32"
    kind = kinds.kind_for(info.index, now.view.live_count, now.index.kind)
    if kind == "hnsw":
        return GraphIndex(info.dimension, keep_vectors=keep)
    if kind == "flat":
        return FlatIndex(info.dimension)
    places = places_of(now.view.live)
    chosen = np.random.default_rng(0).choice(places, min(SAMPLE, len(places)), replace=False)
    chosen.sort()
    sample = now.index.vectors_at(chosen)
    if sample is None:
        _, sample = _stored_vectors(collection, now.view.rows[chosen])
    return IvfIndex.trained(sample, count=now.view.live_count, keep_vectors=keep)


def _stored_vectors(collection: StoredCollection, rows: Rows) -> tuple[Rows, Vectors]:
    """Those of the rows that are still in the store, with their vectors."""
    starts = range(0, max(1, len(rows)), CHUNK)
    pairs = [collection.store.vectors_by_row(collection.number, rows[start : start + CHUNK]) for start in starts]
    return np.concatenate([kept for kept, _ in pairs]), np.concatenate([vectors for _, vectors in pairs])


def _verify(collection: StoredCollection, stopping: Callable[[], bool]) -> None:
    """Read every row of a collection that began with a kept index; what is damaged is told of by the health check."""
    try:
        for _ in collection.store.blocks(collection.number):
            if stopping() or collection.dropped:
                return
    except Unavailable as error:
        collection.damage = error.message
        log.error("collection damaged", extra={"reason": error.message, "collection": collection.static_info.name})
    collection.unverified = False


def _keep_if_due(collection: StoredCollection, after: float) -> bool:
    """Write the index to disk if it has changed enough since; returns whether it was written."""
    now = collection.contents
    new = now.view.count - collection.kept_count
    if now.index.kind == "flat" or now.view.live_count < KEEP_FROM or new <= after * now.view.count:
        return False
    if collection.dropped or now.index.unfinished() > LAST_GO:
        return False
    try:
        token = index_file.write(index_path(collection), now, collection.static_info)
        collection.store.record_index(collection.number, token)
    except NotNow:
        return False
    except (OSError, ServiceError) as error:  # a cache: the next start takes longer, and that is all
        log.warning("index not kept", extra={"reason": str(error), "collection": collection.static_info.name})
    collection.kept_count = now.view.count
    return True
