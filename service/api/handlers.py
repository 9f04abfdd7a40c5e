"""From an exception to the answer in the dialect of the path. Nothing the caller sent is repeated."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
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


async def _service_error(request: Request, error: Exception) -> Response:
    return _told(request, _as(ServiceError, error))


async def _validation_error(request: Request, error: Exception) -> Response:
    return _told(request, invalid_input(_as(RequestValidationError, error).errors()))


def _told(request: Request, error: ServiceError) -> Response:
    return error_response(error, request.scope["path"])


def invalid_input(problems: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """What pydantic found, in the words that the caller is told."""
    told = "; ".join(_describe(problem) for problem in problems[:MOST_PROBLEMS])
    more = len(problems) - MOST_PROBLEMS
    return InvalidInput(f"{told}; and {more} more." if more > 0 else f"{told}.", param=_field(problems[0]["loc"]))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router raises: no such route, or not with this method."""
    http = _as(HTTPException, error)
    if http.status_code == 405:
        return _told(request, MethodNotAllowed(", ".join(_methods_of(request))))
    if http.status_code == 404:
        return _told(request, NotFound("There is no such route; see /docs for those there are."))
    response = _told(request, ServiceError("The request could not be handled."))
    response.status_code = http.status_code
    return response


def _methods_of(request: Request) -> list[str]:
    """Those of every route at this path; the router names those of the first one alone."""
    path = request.scope["path"]
    routes = (route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path))
    return sorted({method for route in routes for method in route.methods or ()})


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
    parts = _parts(loc)
    return f"`{'.'.join(parts)}`" if parts else "The body"


def _field(loc: tuple[str | int, ...]) -> str | None:
    """The field of the body that it is in, or is."""
    parts = _parts(loc)
    return parts[0] if parts else None


def _parts(loc: tuple[str | int, ...]) -> list[str]:
    return [str(part) for part in loc if part not in ("body", "path", "query")]


def _as(kind: type[Expected], error: Exception) -> Expected:
    if not isinstance(error, kind):
        raise TypeError(f"this handler is registered for {kind.__name__}")
    return error
