"""All collections of one Qdrant, be it one server or a cluster. This process keeps nothing, so any number may run."""

import builtins
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from qdrant_client import QdrantClient, models

from service.errors import Conflict, NotFound, ServiceError
from service.search.names import check_choice, check_name
from service.search.points import CollectionInfo, IndexKind, Metric, Storage
from service.search.qdrant.collection import QdrantCollection
from service.search.qdrant.connection import Connection, Place
from service.search.qdrant.creation import STORAGES, check_index, make
from service.search.qdrant.facts import Facts, facts_of
from service.search.qdrant.fields import FieldIndexes
from service.search.qdrant.snapshots import not_here
from service.search.store.rows import utf8
from service.search.vectors import METRICS


class QdrantBackend:
    """The collections that this service made in Qdrant; others are neither shown nor touched.

    `fingerprint` and `dimensions` (space -> width) are those of the running model, `max_points` is the most that one
    collection may hold, and `shard_number` and `replication_factor` are those of new collections. Any thread may call
    any method; `_lock` guards `_indexes`.
    """

    def __init__(
        self,
        client: QdrantClient,
        *,
        fingerprint: str,
        dimensions: Mapping[str, int],
        max_points: int,
        shard_number: int | None = None,
        replication_factor: int | None = None,
    ) -> None:
        self._connection = Connection(client)
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        self._max_points = max_points
        self._shard_number = shard_number
        self._replication_factor = replication_factor
        self._lock = threading.Lock()
        self._indexes: dict[tuple[str, str], FieldIndexes] = {}

    def create(
        self,
        name: str,
        *,
        space: str,
        metric: Metric = "cosine",
        index: IndexKind = "auto",
        storage: Storage = "float32",
        description: str | None = None,
    ) -> QdrantCollection:
        """Make an empty collection. Raises Conflict if the name, or an alias of that name, is there; InvalidInput."""
        check_name(name)
        check_choice("space", space, self._dimensions)
        check_choice("metric", metric, METRICS)
        check_choice("storage", storage, STORAGES)
        check_index(index)
        utf8(description or "", "The description")
        now = time.time_ns()
        facts = Facts(
            name=name,
            identity=f"{now:016x}{secrets.token_hex(8)}",
            space=space,
            metric=metric,
            dimension=self._dimensions[space],
            fingerprint=self._fingerprint,
            index=index,
            storage=storage,
            description=description,
            created_at=datetime.fromtimestamp(now // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        with self._connection.calling(name) as client:
            if client.collection_exists(name) or name in _aliases(client):
                raise Conflict(f'Collection "{name}" exists already; use it, or drop it first.')
            make(client, facts, shards=self._shard_number, replicas=self._replication_factor)
        return self._collection(name, facts)

    def get(self, name: str) -> QdrantCollection:
        """The collection of this name or alias. Raises NotFound, InvalidInput for a name that none can have, and
        Conflict for a collection that this service did not make."""
        check_name(name)
        with self._connection.calling(name) as client:
            facts = facts_of(client.get_collection(name))
            true_name = name if facts is None or facts.name == name else _aliases(client).get(name, name)
        if facts is None:
            raise Conflict(
                f'Collection "{name}" in Qdrant was not made by this service; choose another name, or move its points.'
            )
        return self._collection(true_name, facts)

    def drop(self, name: str) -> int:
        """Delete a collection with its points and the aliases for it; returns how many points it had."""
        collection = self.get(name)
        if collection.name != name:
            raise Conflict(f'"{name}" is an alias of "{collection.name}"; drop the collection by its name.')
        count = collection.count()
        with self._connection.calling(name) as client:
            client.delete_collection(name)
        return count

    def list(self) -> builtins.list[CollectionInfo]:
        """What every collection says of itself, oldest first."""
        return [facts.told(name, count) for name, (facts, count) in self._all().items()]

    def aliases(self) -> dict[str, str]:
        """Alias -> name of its collection."""
        with self._connection.calling() as client:
            found = _aliases(client)
        ours = self._all()
        return {alias: name for alias, name in found.items() if name in ours}

    def set_alias(self, alias: str, name: str) -> str | None:
        """Let `alias` stand for `name` from now on, in one step; returns which one it stood for before."""
        check_name(alias)
        if self.get(name).name != name:
            raise Conflict(f'"{name}" is an alias itself; name the collection.')
        with self._connection.calling() as client:
            before = _aliases(client).get(alias)
            if before is None and client.collection_exists(alias):
                raise Conflict(f'"{alias}" is a collection; an alias needs a name of its own.')
        if before is not None:
            self.get(before)
        with self._connection.calling() as client:
            client.update_collection_aliases([*([_no_alias(alias)] if before else []), _alias(alias, name)])
        return before

    def delete_alias(self, alias: str) -> None:
        """Raises NotFound."""
        check_name(alias)
        with self._connection.calling() as client:
            before = _aliases(client).get(alias)
        if before is None:
            raise NotFound(f'There is no alias "{alias}"; list the aliases to see which there are.')
        self.get(before)
        with self._connection.calling() as client:
            client.update_collection_aliases([_no_alias(alias)])

    def restore(self, name: str, file: Path, *, replace: bool = False) -> QdrantCollection:  # noqa: ARG002
        """Raises InvalidInput: Qdrant restores its own snapshots."""
        raise not_here()

    def verify(self) -> builtins.list[str]:
        """`qdrant` if it does not answer."""
        try:
            with self._connection.calling() as client:
                client.get_collections()
        except ServiceError:
            return ["qdrant"]
        return []

    def close(self) -> None:
        """Let running calls end; every later call raises Unavailable."""
        self._connection.close()

    def _all(self) -> dict[str, tuple[Facts, int]]:
        """Every collection of ours with its facts and count, oldest first."""
        found: dict[str, tuple[Facts, int]] = {}
        with self._connection.calling() as client:
            names = [each.name for each in client.get_collections().collections]
        for name in names:
            try:
                with self._connection.calling(name) as client:
                    said = client.get_collection(name)
            except NotFound:
                continue  # dropped since
            facts = facts_of(said)
            if facts is not None:
                found[name] = facts, said.points_count or 0
        return dict(sorted(found.items(), key=lambda item: item[1][0].identity))

    def _collection(self, name: str, facts: Facts) -> QdrantCollection:
        place = Place(self._connection, name)
        with self._lock:
            indexes = self._indexes.setdefault((name, facts.identity), FieldIndexes(place))
        return QdrantCollection(
            place, facts, indexes, running_fingerprint=self._fingerprint, max_points=self._max_points
        )


def _aliases(client: QdrantClient) -> dict[str, str]:
    return {each.alias_name: each.collection_name for each in client.get_aliases().aliases}


def _alias(alias: str, name: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))


def _no_alias(alias: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
