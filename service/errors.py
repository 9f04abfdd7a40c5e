"""Every error a caller can be told, and the status each one becomes.

    ServiceError
    ├── EmptyInput        400  nothing was sent
    ├── InvalidInput      422  what was sent breaks a rule
    ├── Unauthorized      401  no API key, or none that is known
    ├── Forbidden         403  the key's role does not go so far
    ├── NotFound          404  no such collection or point
    ├── MethodNotAllowed  405  the route exists, with other methods
    ├── NotAcceptable     406  no form of the answer that the caller accepts
    ├── Conflict          409  it is there already, or belongs to another model
    ├── BodyTooLarge      413  the body is over the limit
    ├── WrongMediaType    415  the body is not JSON
    ├── EncodeFailed      424  the model could not encode this input
    ├── Overloaded        429  try again after `retry_after` seconds
    │   └── RateLimited   429  one caller asks more than his share
    ├── Unavailable       503  stopping, or a part of the service is broken
    ├── DeadlineExceeded  504  the answer took too long
    └── StorageFull       507  no room to write

and every reason why the service does not start; the command prints the message and exits with 1:

    StartError
    ├── SettingsError     a setting is unknown or out of bounds
    ├── ModelError        the checkpoint is missing or damaged
    ├── StoreError        the data directory is damaged, locked, or belongs to another model
    └── AddressError      the port is taken

A message says what was found, what was expected and what to do. It never repeats the caller's text.
"""

# ruff: noqa: N818 - these are named after what the caller is told

from typing import ClassVar


class ServiceError(Exception):
    """Base of all errors that are answered to a caller."""

    status: ClassVar[int] = 500
    error_type: ClassVar[str] = "Internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def headers(self) -> dict[str, str]:
        """Response headers this error adds."""
        return {}


class EmptyInput(ServiceError):
    """Nothing was sent: no body, no items."""

    status = 400
    error_type = "Empty"


class InvalidInput(ServiceError):
    """What was sent breaks a rule of the route; `param` is the field that does, where one can be named."""

    status = 422
    error_type = "Validation"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Unauthorized(ServiceError):
    """No API key was sent, or none that is known."""

    status = 401
    error_type = "Unauthorized"

    def headers(self) -> dict[str, str]:
        """`WWW-Authenticate`, as HTTP asks."""
        return {"www-authenticate": "Bearer"}


class Forbidden(ServiceError):
    """The key is known, and its role does not go so far."""

    status = 403
    error_type = "Forbidden"


class NotFound(ServiceError):
    """There is no such route, collection or point."""

    status = 404
    error_type = "NotFound"


class MethodNotAllowed(ServiceError):
    """The route exists, with other methods."""

    status = 405
    error_type = "Method"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This route does not take that method; it takes {allowed}.")
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        """`Allow`, as HTTP asks."""
        return {"allow": self.allowed}


class NotAcceptable(ServiceError):
    """The answer has no form that the caller accepts."""

    status = 406
    error_type = "NotAcceptable"


class Conflict(ServiceError):
    """It exists already, or it was made with another model."""

    status = 409
    error_type = "Conflict"


class BodyTooLarge(ServiceError):
    """The request body is over the limit."""

    status = 413
    error_type = "BodyTooLarge"


class WrongMediaType(ServiceError):
    """The body is not `application/json`."""

    status = 415
    error_type = "MediaType"


class EncodeFailed(ServiceError):
    """The model failed on this item; its batch mates were answered."""

    status = 424
    error_type = "Backend"


class Overloaded(ServiceError):
    """Refused before any work was done."""

    status = 429
    error_type = "Overloaded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds."""
        return {"retry-after": str(self.retry_after)}


class RateLimited(Overloaded):
    """One caller asks more than his share; the others are answered."""


class Unavailable(ServiceError):
    """Stopping, or a part of the service is broken."""

    status = 503
    error_type = "Unhealthy"


class DeadlineExceeded(ServiceError):
    """The answer was not ready within the time limit."""

    status = 504
    error_type = "Timeout"


class StorageFull(ServiceError):
    """The collection or the disk has no room; reads go on."""

    status = 507
    error_type = "StorageFull"


class StartError(Exception):
    """The service cannot start; the message is one sentence with the cure."""


class SettingsError(StartError):
    """A setting is unknown or out of bounds."""


class ModelError(StartError):
    """The checkpoint is missing, damaged, or cannot do what the settings ask."""


class StoreError(StartError):
    """The data directory is damaged, locked by another process, or belongs to another model."""


class AddressError(StartError):
    """The host and port cannot be listened on."""
