"""The errors of a route for the description of the API."""

from typing import Any, Literal

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]

_NOTHING = "Nothing was sent"
_BAD_INPUT = "What was sent breaks a rule of the route"
_RETRY = {"retry-after": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
_REASONS = {
    413: "The body is over the limit",
    415: "The body is not called JSON",
    424: "The model could not encode one of the texts",
    429: "Too much is waiting; nothing was done",
    503: "The service is stopping, or a part of it is broken",
    504: "The answer took too long",
}


def any_error(answer: type[BaseModel]) -> Responses:
    """For every route of a dialect: all errors have the shape of `answer`."""
    return {status: {"model": answer, "description": "Refused or failed"} for status in ("4XX", "5XX")}


def errors_of_embedding(answer: type[BaseModel], *, bad_input: Literal[400, 422] = 422) -> Responses:
    """For a route that takes texts, beside `any_error`."""
    told = (
        {400: f"{_NOTHING}, or it breaks a rule of the route"} if bad_input == 400 else {400: _NOTHING, 422: _BAD_INPUT}
    )
    reasons = {**told, **_REASONS}
    responses: Responses = {status: {"model": answer, "description": reason} for status, reason in reasons.items()}
    responses[429]["headers"] = _RETRY
    return responses
