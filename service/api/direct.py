"""Call the handlers that take a body and at most the name of a collection, without FastAPI's way through a request.

That way matches the path against every route, opens three exit stacks, wraps two exception handlers around the handler
and calls a function for each dependency, which together cost several times what the handler does. FastAPI has these
routes all the same: it describes them, and answers what is not for them.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.body import JsonRoute, read_json
from service.api.handlers import invalid_input
from service.api.output import output_of
from service.api.schemas.base import JsonBody
from service.record import record_of
from service.search.names import NAME
from service.services import services_of


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """One of them; an ASGI app whose errors are answered by the middleware that calls it."""

    route: JsonRoute
    body: type[JsonBody]
    handler: Callable[..., Awaitable[Response]]
    formed: bool
    """Whether the handler asks in which form its answer is wanted."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ServiceError for what the caller is to be told."""
        scope["route"] = self.route
        services = services_of(scope)
        _, value = await read_json(scope, receive, services.settings.max_body_bytes, typed=self.route.typed)
        given = {"output": output_of(scope)} if self.formed else {}
        try:
            body = self.body.model_validate(value)
        except ValidationError as error:
            raise invalid_input(error.errors(include_url=False)) from None
        response = await self.handler(
            **scope["path_params"], body=body, services=services, record=record_of(scope), **given
        )
        await response(scope, receive, send)


def direct_routes(routers: Iterable[APIRouter]) -> dict[tuple[str, str], DirectRoute]:
    """By method and path, every route whose handler takes body, services, record, and at most a name and `output`."""
    return {
        (method, route.path): DirectRoute(
            route, body, route.endpoint, "output" in inspect.signature(route.endpoint).parameters
        )
        for router in routers
        for route in router.routes
        if isinstance(route, JsonRoute) and (body := _only_body(route)) is not None
        for method in sorted(route.methods or ())
    }


class Shortcut:
    """An ASGI app before another one: a request for a direct route goes there, all else goes on."""

    def __init__(self, direct: Mapping[tuple[str, str], ASGIApp], otherwise: ASGIApp) -> None:
        self._direct = direct
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it to the one that it is for."""
        path, parameters = _template(scope.get("path", ""))
        app = self._direct.get((scope.get("method", ""), path))
        if app is None:
            await self._otherwise(scope, receive, send)
            return
        scope["path_params"] = parameters
        await app(scope, receive, send)


def _template(path: str) -> tuple[str, dict[str, str]]:
    """The path of a route, and what stands in the place of its `{name}`."""
    parts = path.split("/", 3)
    if len(parts) == 4 and parts[1] == "collections" and NAME.fullmatch(parts[2]):
        return f"/collections/{{name}}/{parts[3]}", {"name": parts[2]}
    return path, {}


def _only_body(route: JsonRoute) -> type[JsonBody] | None:
    """The class of the body of a handler that takes no more than the direct way gives."""
    parameters = inspect.signature(route.endpoint).parameters
    named = ["name"] if route.path.startswith("/collections/{name}/") else []
    if [name for name in parameters if name != "output"] != [*named, "body", "services", "record"]:
        return None
    kind = parameters["body"].annotation
    return kind if isinstance(kind, type) and issubclass(kind, JsonBody) else None
