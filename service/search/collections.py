"""All collections of one data directory: open and check them, make, find, list and drop them."""

import builtins
import re
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from service.errors import Conflict, InvalidInput, NotFound, Unavailable
from service.search.collection import COSINE, METRICS, Collection
from service.search.database import refusing_damage
from service.search.points import CollectionInfo
from service.search.rows import utf8
from service.search.store import Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Collections:
    """The collections by name.

    Any thread may call any method. `_lock` guards `_by_name`; creating holds it across its short transaction, so
    that a name is given once.
    """

    def __init__(self, store: Store, *, fingerprint: str, dimensions: Mapping[str, int], max_points: int) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        self._max_points = max_points
        self._lock = threading.Lock()
        self._by_name: dict[str, Collection] = {}

    @classmethod
    def open(cls, data_dir: Path, *, fingerprint: str, dimensions: Mapping[str, int], max_points: int) -> "Collections":
        """Open or create the store in `data_dir`, check every row of it and fill the indexes.

        `fingerprint` and `dimensions` (space -> width) are those of the running model. Raises StoreError if the
        directory is in use, or if anything in it is damaged.
        """
        with ExitStack() as undo:
            store = Store.open(data_dir)
            undo.callback(store.close)
            collections = cls(store, fingerprint=fingerprint, dimensions=dimensions, max_points=max_points)
            collections._load()
            undo.pop_all()
        return collections

    def create(self, name: str, *, space: str, metric: str = COSINE, description: str | None = None) -> Collection:
        """Make an empty collection; raises Conflict if there is one, InvalidInput for a bad name, space or metric."""
        _check_name(name)
        _check_choice("space", space, self._dimensions)
        _check_choice("metric", metric, METRICS)
        utf8(description or "", "The description")
        info = CollectionInfo(
            name=name,
            space=space,
            metric=metric,
            dimension=self._dimensions[space],
            fingerprint=self._fingerprint,
            index="flat",
            description=description,
            created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            count=0,
        )
        with self._lock:
            if name in self._by_name:
                raise Conflict(f'Collection "{name}" exists already; use it, or drop it first.')
            return self._attach(self._store.create_collection(info), info)

    def get(self, name: str) -> Collection:
        """The collection; raises NotFound, or InvalidInput for a name that no collection can have."""
        _check_name(name)
        with self._lock:
            collection = self._by_name.get(name)
        if collection is None:
            raise NotFound(f'There is no collection "{name}"; create it with PUT /collections/{name}.')
        return collection

    def get_or_create(
        self, name: str, *, space: str, metric: str = COSINE, description: str | None = None
    ) -> Collection:
        """The collection, made now if it is not there; raises Conflict if it is there with another space or metric."""
        try:
            return self.create(name, space=space, metric=metric, description=description)
        except Conflict:
            collection = self.get(name)
        info = collection.info()
        if (info.space, info.metric) != (space, metric):
            raise Conflict(
                f'Collection "{name}" has space {info.space} and metric {info.metric}, not {space} and {metric}.'
            )
        return collection

    def drop(self, name: str) -> int:
        """Delete a collection with its points; returns how many it had. Raises NotFound."""
        collection = self.get(name)
        dropped = collection.drop()
        with self._lock:
            del self._by_name[name]
        return dropped

    def verify(self) -> builtins.list[str]:
        """Names of the failing checks: `writable`, `readable`, and `index:NAME` for an index unlike the store."""
        failing = [] if self._store.is_writable() else ["writable"]
        with self._lock:
            collections = dict(self._by_name)
        try:
            return failing + [f"index:{name}" for name, collection in collections.items() if not collection.agrees()]
        except Unavailable:
            return [*failing, "readable"]

    def close(self) -> None:
        """Let running calls end and close the store; every later call raises Unavailable."""
        self._store.close()

    def list(self) -> builtins.list[CollectionInfo]:
        """What every collection says of itself, oldest first."""
        return [*self._store.collections().values()]

    def _load(self) -> None:
        with refusing_damage(self._store.path):
            collections = {number: self._attach(number, info) for number, info in self._store.collections().items()}
            for number, rows, _, vectors in self._store.blocks():
                collections[number].load(rows, vectors)

    def _attach(self, number: int, info: CollectionInfo) -> Collection:
        collection = Collection(
            self._store, number, info, running_fingerprint=self._fingerprint, max_points=self._max_points
        )
        self._by_name[info.name] = collection
        return collection


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "The collection's name breaks the rule: 1 to 128 of A-Z a-z 0-9 . _ - with a letter or digit first."
        )


def _check_choice(what: str, value: str, choices: Mapping[str, int] | tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidInput(f"There is no such {what}; expected one of: {', '.join(choices)}.")
