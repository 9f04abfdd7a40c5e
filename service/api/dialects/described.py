"""The errors of a route for the description of the API."""

from typing import Any, Literal

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]

_REASONS = {
    400: "Nothing was sent",
    404: "There is no such collection, point, alias or snapshot",
    409: "It is there already, or belongs to another model",
    413: "The body is over the limit",
    415: "The body is not called what it has to be",
    422: "What was sent breaks a rule of the route",
    424: "The model could not encode one of the texts",
    429: "Too much is waiting; nothing was done",
    503: "The service is stopping, or a part of it is broken",
    504: "The answer took too long",
    507: "There is no room to write; reads go on",
}
_RETRY = {"retry-after": {"description": "Seconds to wait", "schema": {"type": "integer"}}}

EMBEDDING = (400, 413, 415, 422, 424, 429, 503, 504)
"""Of every route that takes texts."""


def any_error(answer: type[BaseModel]) -> Responses:
    """For every route of a dialect: all errors have the shape of `answer`."""
    return {status: {"model": answer, "description": "Refused or failed"} for status in ("4XX", "5XX")}


def errors(answer: type[BaseModel], *statuses: int) -> Responses:
    """Those that a caller of a route is likely to meet, beside `any_error`."""
    responses: Responses = {
        status: {"model": answer, "description": _REASONS[status]} for status in sorted(set(statuses))
    }
    if 429 in responses:
        responses[429]["headers"] = _RETRY
    return responses


def errors_of_embedding(answer: type[BaseModel], *, bad_input: Literal[400, 422] = 422) -> Responses:
    """For a route that takes texts, beside `any_error`."""
    responses = errors(answer, *EMBEDDING)
    if bad_input == 400:
        del responses[422]
        responses[400]["description"] = f"{_REASONS[400]}, or it breaks a rule of the route"
    return responses
