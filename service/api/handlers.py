"""From an exception to the answer `{"error", "error_type"}`. Nothing the caller sent is repeated."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from service.api.answers import error_response
from service.errors import InvalidInput, MethodNotAllowed, NotFound, ServiceError

Expected = TypeVar("Expected", bound=Exception)

MOST_PROBLEMS = 3  # more than this helps nobody, and keeps the answer small

_EXPECTED = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "finite_number": "must be a finite number",
}
_NAMES = {
    type(None): "null", bool: "true or false", int: "an integer", float: "a number", str: "a string",
    list: "a list", dict: "an object",
}  # fmt: skip


def add_handlers(app: FastAPI) -> None:
    """Answer every kind of exception in one shape; unexpected ones are caught by the middleware."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _service_error(_request: Request, error: Exception) -> Response:
    return error_response(_as(ServiceError, error))


async def _validation_error(_request: Request, error: Exception) -> Response:
    return error_response(invalid_input(_as(RequestValidationError, error).errors()))


def invalid_input(problems: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """What pydantic found, in the words that the caller is told."""
    told = "; ".join(_describe(problem) for problem in problems[:MOST_PROBLEMS])
    more = len(problems) - MOST_PROBLEMS
    return InvalidInput(f"{told}; and {more} more." if more > 0 else f"{told}.")


async def _http_error(_request: Request, error: Exception) -> Response:
    """What the router raises: no such route, or not with this method."""
    http = _as(HTTPException, error)
    if http.status_code == 405:
        return error_response(MethodNotAllowed((http.headers or {}).get("Allow", "another")))
    if http.status_code == 404:
        return error_response(NotFound("There is no such route; see /docs for those there are."))
    told = ServiceError("The request could not be handled.")
    response = error_response(told)
    response.status_code = http.status_code
    return response


def _describe(problem: Mapping[str, Any]) -> str:
    """`points.3.vector must be a list, not a string`: the place, what is expected, what was found by type."""
    kind = problem["type"]
    place = _place(problem["loc"])
    expected = _EXPECTED.get(kind)
    if expected is None:
        return f"{place}: {problem['msg']}"
    if kind in ("missing", "finite_number"):
        return f"{place} {expected}"
    return f"{place} {expected}, not {_NAMES.get(type(problem['input']), 'something else')}"


def _place(loc: tuple[str | int, ...]) -> str:
    """The path of the field; the parts are names of ours and positions, never keys of the caller."""
    parts = [str(part) for part in loc if part not in ("body", "path", "query")]
    return f"`{'.'.join(parts)}`" if parts else "The body"


def _as(kind: type[Expected], error: Exception) -> Expected:
    if not isinstance(error, kind):
        raise TypeError(f"this handler is registered for {kind.__name__}")
    return error
