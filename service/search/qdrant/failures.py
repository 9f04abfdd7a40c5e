"""What Qdrant, its client or the network failed with, as errors of this service.

Nothing that Qdrant says is passed on: its messages repeat what was sent.
"""

import json

import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from service.errors import (
    BodyTooLarge,
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    ServiceError,
    StorageFull,
    Unavailable,
)

FULL = b"No space left on device"
LATE = (408, 504)


def translated(error: Exception, collection: str | None = None) -> ServiceError | None:
    """The error to raise in place of `error`, met in a call about `collection`; None for one that is a bug of ours."""
    if isinstance(error, UnexpectedResponse):
        return _of_status(error.status_code or 0, error.content, collection)
    if isinstance(error, ResourceExhaustedResponse):
        return _overloaded(error.retry_after_s)
    if isinstance(error, ResponseHandlingException):
        return _of_transport(error.source)
    if isinstance(error, json.JSONDecodeError | AssertionError):  # an answer that the client could not make out
        return _of_transport(error)
    if isinstance(error, NotImplementedError):
        return InvalidInput("The client's local mode of Qdrant cannot do this; use a Qdrant server.")
    if isinstance(error, ValueError) and str(error) == f"Collection {collection} not found":  # of the local mode
        return missing(collection)
    return None


def missing(collection: str | None) -> NotFound:
    """What is said where a collection is not there, or not any more."""
    named = "that collection" if collection is None else f'collection "{collection}"'
    return NotFound(f"There is no {named} in Qdrant; list the collections to see which there are.")


def _overloaded(retry_after: int) -> Overloaded:
    return Overloaded("Qdrant takes no more requests for now; try again later.", retry_after)


def _of_transport(source: Exception) -> ServiceError:
    if isinstance(source, httpx.TimeoutException):
        return DeadlineExceeded(
            "Qdrant did not answer in time; a write may have been carried out all the same, and may be sent again."
        )
    if isinstance(source, httpx.HTTPError):
        return Unavailable("Qdrant cannot be reached; check that it runs, and MCSE_QDRANT_URL.")
    return Unavailable("What answers at MCSE_QDRANT_URL does not speak as Qdrant does; check its address and version.")


def _of_status(status: int, content: bytes, collection: str | None) -> ServiceError:
    if status in (401, 403):
        return Unavailable(
            f"Qdrant refused the key ({status}); set MCSE_QDRANT_API_KEY to one that may read and write."
        )
    if status == 404:
        return missing(collection)
    if status == 409:
        return Conflict("Qdrant has something of that name already (409); choose another name.")
    if status == 413:
        return BodyTooLarge("Qdrant takes no request of this size (413); send fewer points in one.")
    if status == 429:
        return _overloaded(1)
    return _of_failure(status, content)


def _of_failure(status: int, content: bytes) -> ServiceError:
    if status == 507 or FULL in content:
        return StorageFull("A disk of Qdrant is full; free some space on it.")
    if status in LATE:
        return DeadlineExceeded(f"Qdrant gave up ({status}); try again, or ask for less.")
    if 400 <= status < 500:
        return InvalidInput(f"Qdrant refused the request ({status}); its log says why.")
    return Unavailable(f"Qdrant failed ({status}); its log says why.")
