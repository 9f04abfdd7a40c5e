"""Answers as bytes: JSON by orjson, which writes NumPy arrays without a Python float in between."""

from typing import Any

import orjson
from fastapi import Response

from service.errors import ServiceError


def json_response(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`content` may hold float32 arrays; each number is written in its shortest exact form."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def error_response(error: ServiceError, **more: Any) -> Response:
    """`{"error", "error_type"}` with the status and headers of the error."""
    content = {"error": error.message, "error_type": error.error_type, **more}
    return json_response(content, status=error.status, headers=error.headers())
