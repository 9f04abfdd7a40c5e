"""The way to Qdrant: one client for all calls, whose failures become errors of this service, and an orderly end."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from qdrant_client import QdrantClient, models

from service.errors import DeadlineExceeded, ServiceError, StoreError, Unavailable
from service.search.qdrant.failures import translated

OLDEST = (1, 17)  # the first that keeps facts of a collection and can insert without replacing
TIMEOUT_S = 30


def open_qdrant(url: str, api_key: str | None = None, *, timeout_s: int = TIMEOUT_S) -> QdrantClient:
    """A client of the Qdrant at `url`, which answered, is recent enough and took the key.

    Raises StoreError. Nothing it says has the key in it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a key goes over http, which docs/scale.md says
            client = QdrantClient(url=url, api_key=api_key, timeout=timeout_s, check_compatibility=False)
    except ValueError:
        raise StoreError(
            "MCSE_QDRANT_URL is no address; expected one such as http://localhost:6333 or https://host:6333."
        ) from None
    try:
        _require_usable(client)
    except StoreError:
        client.close()
        raise
    return client


def _require_usable(client: QdrantClient) -> None:
    try:
        version = client.info().version
        client.get_collections()  # only this asks for the key
    except Exception as error:
        failure = translated(error)
        if failure is None:
            raise
        raise StoreError(f"The collections are in Qdrant, and it cannot be used: {failure.message}") from None
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise StoreError(f"Qdrant is of version {version}; expected {oldest} or newer: upgrade it.")


class Connection:
    """One client for all threads. After `close` every call raises Unavailable."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False

    @contextmanager
    def calling(self, collection: str | None = None) -> Iterator[QdrantClient]:
        """The client, for one or some calls about `collection`.

        Raises what Qdrant or the way to it failed with as an error of this service: NotFound for a collection that is
        not there, InvalidInput, Conflict, BodyTooLarge, Overloaded, StorageFull, DeadlineExceeded, Unavailable.
        """
        self._begin()
        try:
            yield self._client
        except ServiceError:
            raise
        except Exception as error:
            failure = translated(error, collection)
            if failure is None:
                raise
            raise failure from None
        finally:
            self._end()

    def close(self) -> None:
        """Let running calls end, and the client go."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.wait_for(lambda: self._running == 0)
        self._client.close()

    def _begin(self) -> None:
        with self._changed:
            if self._closed:
                raise Unavailable("The service is stopping.")
            self._running += 1

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the points of one collection are."""

    connection: Connection
    name: str

    def calling(self) -> AbstractContextManager[QdrantClient]:
        """The client, for calls about this collection."""
        return self.connection.calling(self.name)


def require_done(*results: models.UpdateResult) -> None:
    """Raise DeadlineExceeded unless Qdrant says that each write is done: one that is only queued may be lost."""
    if any(result.status != models.UpdateStatus.COMPLETED for result in results):
        raise DeadlineExceeded("Qdrant took the write and has not carried it out in time; send it again.")
