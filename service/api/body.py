"""Read a request body as JSON, within the limit, and say what is wrong without repeating it.

FastAPI's own reader accepts NaN and lone surrogates, which then cannot be answered, and its body limit answers in
plain text. This route class reads the body first; FastAPI then only validates the parsed value.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.errors import BodyTooLarge, EmptyInput, InvalidInput, WrongMediaType
from service.services import services_of

FOREIGN = (b"cross-site", b"same-site")  # what a browser says in `sec-fetch-site` of a page that is not this service's

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class JsonRoute(APIRoute):
    """A route whose body, where it has one, is read by `JsonRequest`."""

    typed: ClassVar[bool] = True
    """Whether the body must say that it is JSON."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, with the body read before it."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle
        optional = not self.body_field.field_info.is_required()

        async def read_then_handle(request: Request) -> Response:
            parsed = JsonRequest(request.scope, request.receive)
            limit = services_of(request.scope).settings.max_body_bytes
            await parsed.read(limit, optional=optional, typed=self.typed)
            return await handle(parsed)

        return read_then_handle


class UntypedJsonRoute(JsonRoute):
    """One for clients that do not say what they send."""

    typed = False


class JsonRequest(Request):
    """A request whose body has been parsed by orjson."""

    async def read(self, limit: int, *, optional: bool, typed: bool) -> None:
        """Read and parse the body, as `read_json` does."""
        self._body, self._json = await read_json(self.scope, self.receive, limit, optional=optional, typed=typed)


async def read_json(
    scope: Scope, receive: Receive, limit: int, *, optional: bool = False, typed: bool = True
) -> tuple[bytes, Any]:
    """The body and the value in it; no bytes and None for an empty one that is `optional`.

    One that is not `typed` may come without a media type, unless a browser says that it is a page's of another site.
    Raises BodyTooLarge, EmptyInput, WrongMediaType, InvalidInput with the position of a syntax error, and
    ClientDisconnect.
    """
    headers = dict(reversed(scope["headers"]))  # the first one of a name
    body = await _receive_at_most(receive, headers.get(b"content-length", b""), limit)
    if not body and optional:
        return body, None
    if not body.strip():
        raise EmptyInput("The body is empty; send a JSON object.")
    media_type = headers.get(b"content-type", b"")
    if media_type != b"application/json" and (typed or media_type or headers.get(b"sec-fetch-site") in FOREIGN):
        _check_media_type(media_type.decode("latin-1"))
    return body, parse_json(body)


async def _receive_at_most(receive: Receive, declared: bytes, limit: int) -> bytes:
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_json(body: bytes, what: str = "The body") -> Any:
    """The value in `body`; raises InvalidInput with the place of the first error."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"{what} is not valid JSON: line {error.lineno}, column {error.colno} (position "
            f"{error.pos}). It must be UTF-8, without NaN, Infinity or lone surrogates."
        ) from None


def _check_media_type(content_type: str) -> None:
    """Insist on JSON by name: a web page may send any other type, or none, to this machine without being asked."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise WrongMediaType("The body must be JSON; send `content-type: application/json`.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is over the limit of {limit} bytes; send fewer items at a time.")
