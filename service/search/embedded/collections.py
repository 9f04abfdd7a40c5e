"""All collections of one data directory: open and check them, make, find, list and drop them."""

import builtins
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from service.errors import Conflict, NotFound, Unavailable
from service.search.embedded.collection import StoredCollection
from service.search.embedded.opening import fill, index_path, sweep
from service.search.embedded.snapshots import Snapshots
from service.search.embedded.tending import Caretaker
from service.search.names import check_choice, check_name
from service.search.points import CollectionInfo, IndexKind, Metric, Storage
from service.search.store.database import refusing_damage
from service.search.store.rows import utf8
from service.search.store.store import Store
from service.search.vectors import METRICS

MOST_METADATA_BYTES = 16_384


class Collections:
    """See Backend in backend.py: the collections by name, in one data directory.

    `_changing` is held by whoever creates, drops, restores or names one, so that a name is given once; that may take
    long. `_lock` guards the tables of names, and is held for a moment only: finding a collection waits for nobody.
    """

    def __init__(
        self,
        store: Store,
        *,
        fingerprint: str,
        dimensions: Mapping[str, int],
        max_points: int,
        max_metadata_bytes: int,
    ) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        self._max_points = max_points
        self._max_metadata_bytes = max_metadata_bytes
        self._snapshots = Snapshots(store.path.parent, store.write_snapshot)
        self._changing = threading.RLock()
        self._lock = threading.Lock()
        self._by_name: dict[str, StoredCollection] = {}
        self._aliases: dict[str, str] = {}
        self._unfilled: set[str] = set()
        """Names of what was restored and cannot be searched yet."""
        self._caretaker = Caretaker(self._all)

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        fingerprint: str,
        dimensions: Mapping[str, int],
        max_points: int,
        max_metadata_bytes: int = MOST_METADATA_BYTES,
        tended: bool = True,
    ) -> "Collections":
        """Open or create the store in `data_dir`, check it and fill the indexes.

        `fingerprint` and `dimensions` (space -> width) are those of the running model. `tended` starts the thread that
        looks after the indexes. Raises StoreError if the directory is in use, or if anything in it is damaged.
        """
        with ExitStack() as undo:
            store = Store.open(data_dir)
            undo.callback(store.close)
            collections = cls(
                store,
                fingerprint=fingerprint,
                dimensions=dimensions,
                max_points=max_points,
                max_metadata_bytes=max_metadata_bytes,
            )
            collections._load()
            undo.pop_all()
        if tended:
            collections._caretaker.start()
        return collections

    def create(
        self,
        name: str,
        *,
        space: str,
        metric: Metric = "cosine",
        index: IndexKind = "auto",
        storage: Storage = "float32",
        description: str | None = None,
    ) -> StoredCollection:
        """See Backend."""
        check_name(name)
        check_choice("space", space, self._dimensions)
        check_choice("metric", metric, METRICS)
        check_choice("index", index, get_args(IndexKind))
        check_choice("storage", storage, get_args(Storage))
        utf8(description or "", "The description")
        info = CollectionInfo(
            name=name,
            space=space,
            metric=metric,
            dimension=self._dimensions[space],
            fingerprint=self._fingerprint,
            index=index,
            storage=storage,
            description=description,
            created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            count=0,
        )
        with self._changing:
            if name in self._by_name:
                raise Conflict(f'Collection "{name}" exists already; use it, or drop it first.')
            if name in self._aliases:
                raise Conflict(f'"{name}" is an alias; delete the alias first, or choose another name.')
            return self._attach(self._store.create_collection(info), info)

    def get(self, name: str) -> StoredCollection:
        """See Backend."""
        check_name(name)
        with self._lock:
            name = self._aliases.get(name, name)
            collection = self._by_name.get(name)
            unfilled = name in self._unfilled
        if unfilled:
            raise Unavailable(f'Collection "{name}" is being restored; try again in a while.')
        if collection is None:
            raise NotFound(f'There is no collection "{name}"; create it with PUT /collections/{name}.')
        return collection

    def get_or_create(self, name: str, *, space: str, metric: Metric = "cosine") -> StoredCollection:
        """The collection, made now if it is not there; raises Conflict if it is there with another space or metric."""
        try:
            return self.create(name, space=space, metric=metric)
        except Conflict:
            collection = self.get(name)
        info = collection.info()
        if (info.space, info.metric) != (space, metric):
            raise Conflict(
                f'Collection "{name}" has space {info.space} and metric {info.metric}, not {space} and {metric}.'
            )
        return collection

    def drop(self, name: str) -> int:
        """See Backend."""
        check_name(name)
        with self._changing:
            if name in self._aliases:
                raise Conflict(f'"{name}" is an alias of "{self._aliases[name]}"; drop the collection by its name.')
            collection = self.get(name)
            dropped = collection.drop()
            with self._lock:
                del self._by_name[name]
                self._aliases = {alias: of for alias, of in self._aliases.items() if of != name}
        index_path(collection).unlink(missing_ok=True)
        return dropped

    def list(self) -> builtins.list[CollectionInfo]:
        """See Backend."""
        return [*self._store.collections().values()]

    def aliases(self) -> dict[str, str]:
        """See Backend."""
        names = {number: info.name for number, info in self._store.collections().items()}
        aliases = self._store.aliases()
        if not names.keys() >= set(aliases.values()):
            raise Unavailable("an alias leads to no collection")
        return {alias: names[number] for alias, number in aliases.items()}

    def set_alias(self, alias: str, name: str) -> str | None:
        """See Backend."""
        check_name(alias)
        with self._changing:
            if alias in self._by_name:
                raise Conflict(f'"{alias}" is a collection; an alias needs a name of its own.')
            if name in self._aliases:
                raise Conflict(f'"{name}" is an alias itself; name the collection.')
            self._store.set_alias(alias, self.get(name).number)
            with self._lock:
                before = self._aliases.get(alias)
                self._aliases[alias] = name
        return before

    def delete_alias(self, alias: str) -> None:
        """See Backend."""
        check_name(alias)
        with self._changing:
            if alias not in self._aliases:
                raise NotFound(f'There is no alias "{alias}".')
            self._store.delete_alias(alias)
            with self._lock:
                del self._aliases[alias]

    def restore(self, name: str, file: Path, *, replace: bool = False) -> StoredCollection:
        """See Backend."""
        check_name(name)
        with self._changing:
            if name in self._aliases:
                raise Conflict(f'"{name}" is an alias; restore under a name of its own.')
            before = self._by_name.get(name)
            if before is not None and not replace:
                raise Conflict(f'Collection "{name}" exists already; restore with `replace`, or under another name.')
            self._snapshots.require_as_written(file)
            return self._restored(name, file, before)

    def verify(self) -> builtins.list[str]:
        """Names of the failing checks: `writable`, `readable`, `index:NAME` for an index unlike the store, and
        `damaged:NAME`."""
        failing = [] if self._store.is_writable() else ["writable"]
        collections = self._all()
        failing += [f"damaged:{one.static_info.name}" for one in collections if one.damage]
        try:
            return failing + [f"index:{one.static_info.name}" for one in collections if not one.agrees()]
        except Unavailable:
            return [*failing, "readable"]

    def close(self) -> None:
        """See Backend."""
        self._caretaker.stop()
        self._store.close()

    def _all(self) -> builtins.list[StoredCollection]:
        with self._lock:
            return [*self._by_name.values()]

    def _load(self) -> None:
        with refusing_damage(self._store.path):
            for number, info in self._store.collections().items():
                fill(self._attach(number, info))
            self._aliases = self.aliases()
        sweep(self._store)
        self._snapshots.sweep()

    def _restored(self, name: str, file: Path, before: StoredCollection | None) -> StoredCollection:
        if before is None:
            number = self._store.restore(file, name, self._max_points)
        else:
            with before.lock:  # a write to it ends before, or finds it dropped
                number = self._store.restore(file, name, self._max_points, replacing=before.number)
                before.dropped = True
                with self._lock:
                    self._unfilled.add(name)
            index_path(before).unlink(missing_ok=True)
        collection = self._made(number, self._store.collections()[number])
        try:
            fill(collection)
        except BaseException:  # it is whole in the store, and cannot be searched before the next start
            with self._lock:
                self._unfilled.add(name)
            raise
        with self._lock:
            self._by_name[name] = collection
            self._unfilled.discard(name)
        return collection

    def _attach(self, number: int, info: CollectionInfo) -> StoredCollection:
        collection = self._made(number, info)
        with self._lock:
            self._by_name[info.name] = collection
        return collection

    def _made(self, number: int, info: CollectionInfo) -> StoredCollection:
        return StoredCollection(
            self._store,
            number,
            info,
            self._snapshots,
            running_fingerprint=self._fingerprint,
            max_points=self._max_points,
            max_metadata_bytes=self._max_metadata_bytes,
        )
