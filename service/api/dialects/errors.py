"""Errors as each dialect tells them: the body that its clients parse, and the status that they expect.

| dialect | paths | body | bad input |
|---|---|---|---|
| native, which is Text Embeddings Inference's | all others | `{"error", "error_type"}` | 422 |
| OpenAI | `/v1/...`, `/embeddings`, `/models` | `{"error": {"message", "type", "param", "code"}}` | 400 |
| Cohere | `/v2/...`, `/v1/embed` | `{"message"}` | 422 |
| Ollama | `/api/...` | `{"error"}` | 422 |
| Weaviate | `/vectors`, `/meta`, `/.well-known/...` | `{"error"}` | 422 |
| Qdrant inference | `/qdrant/...` | `{"error"}` | 400, the only status whose message Qdrant passes on |

Every other error has the same status everywhere.
"""

from collections.abc import Callable
from typing import Any, Literal

from service.errors import EncodeFailed, Forbidden, InvalidInput, Overloaded, ServiceError, Unauthorized

Dialect = Literal["native", "openai", "cohere", "ollama", "weaviate", "qdrant"]

_PATHS: dict[str, Dialect] = {
    "/v1/embed": "cohere",
    "/embeddings": "openai",
    "/models": "openai",
    "/vectors": "weaviate",
    "/meta": "weaviate",
}
_BEGINNINGS: dict[str, Dialect] = {
    "/v1/": "openai",
    "/models/": "openai",
    "/v2/": "cohere",
    "/api/": "ollama",
    "/.well-known/": "weaviate",
    "/qdrant/": "qdrant",
}
_BAD_INPUT_IS_400: frozenset[Dialect] = frozenset({"openai", "qdrant"})

_OPENAI_CODES = {
    "Empty": "empty",
    "Validation": "invalid_value",
    "Unauthorized": "invalid_api_key",
    "Forbidden": "permission_denied",
    "NotFound": "not_found",
    "Method": "method_not_allowed",
    "NotAcceptable": "not_acceptable",
    "BodyTooLarge": "request_too_large",
    "MediaType": "unsupported_media_type",
    "Backend": "encode_failed",
    "Overloaded": "rate_limit_exceeded",
    "Unhealthy": "unavailable",
    "Timeout": "timeout",
}

_OPENAI_TYPES: dict[type[ServiceError], str] = {
    Unauthorized: "authentication_error",
    Forbidden: "permission_error",
    Overloaded: "rate_limit_error",
}


def dialect_of(path: str) -> Dialect:
    """The dialect of the clients that call this path, whether there is such a route or not."""
    known = _PATHS.get(path.rstrip("/"))
    if known is not None:
        return known
    return next((dialect for start, dialect in _BEGINNINGS.items() if path.startswith(start)), "native")


def error_status(error: ServiceError, path: str) -> int:
    """The status of the answer."""
    if isinstance(error, InvalidInput) and dialect_of(path) in _BAD_INPUT_IS_400:
        return 400
    return error.status


def error_content(error: ServiceError, path: str) -> dict[str, Any]:
    """The body of the answer."""
    return _CONTENTS[dialect_of(path)](error)


def _native(error: ServiceError) -> dict[str, Any]:
    return {"error": error.message, "error_type": error.error_type}


def _openai(error: ServiceError) -> dict[str, Any]:
    return {
        "error": {
            "message": error.message,
            "type": _openai_type(error),
            "param": error.param if isinstance(error, InvalidInput) else None,
            "code": _OPENAI_CODES.get(error.error_type, "internal_error"),
        }
    }


def _openai_type(error: ServiceError) -> str:
    for kind, name in _OPENAI_TYPES.items():
        if isinstance(error, kind):
            return name
    if error.status >= 500 or isinstance(error, EncodeFailed):
        return "server_error"
    return "invalid_request_error"


def _message(error: ServiceError) -> dict[str, Any]:
    return {"message": error.message}


def _error(error: ServiceError) -> dict[str, Any]:
    return {"error": error.message}


_CONTENTS: dict[Dialect, Callable[[ServiceError], dict[str, Any]]] = {
    "native": _native,
    "openai": _openai,
    "cohere": _message,
    "ollama": _error,
    "weaviate": _error,
    "qdrant": _error,
}
