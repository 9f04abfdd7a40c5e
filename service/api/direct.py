"""Call the handlers that take nothing but a body, without FastAPI's way through a request.

That way matches the path against every route, opens three exit stacks, wraps two exception handlers around the handler
and calls a function for each dependency, which together cost several times what the handler does. FastAPI has these
routes all the same: it describes them, and answers what is not for them.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.body import JsonRoute, read_json
from service.api.handlers import invalid_input
from service.api.schemas.base import Body
from service.record import record_of
from service.services import services_of


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """One of them; an ASGI app whose errors are answered by the middleware that calls it."""

    route: JsonRoute
    body: type[Body]
    handler: Callable[..., Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ServiceError for what the caller is to be told."""
        scope["route"] = self.route
        services = services_of(scope)
        _, value = await read_json(scope, receive, services.settings.max_body_bytes)
        try:
            body = self.body.model_validate(value)
        except ValidationError as error:
            raise invalid_input(error.errors(include_url=False)) from None
        response = await self.handler(body=body, services=services, record=record_of(scope))
        await response(scope, receive, send)


def direct_routes(routers: Iterable[APIRouter]) -> dict[tuple[str, str], DirectRoute]:
    """By method and path, every route with a fixed path and a handler of body, services and record."""
    return {
        (method, route.path): DirectRoute(route, body, route.endpoint)
        for router in routers
        for route in router.routes
        if isinstance(route, JsonRoute) and (body := _only_body(route.endpoint)) is not None
        for method in sorted(route.methods or ())
    }


class Shortcut:
    """An ASGI app before another one: a request for a direct route goes there, all else goes on."""

    def __init__(self, direct: Mapping[tuple[str, str], ASGIApp], otherwise: ASGIApp) -> None:
        self._direct = direct
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it to the one that it is for."""
        app = self._direct.get((scope.get("method", ""), scope.get("path", "")), self._otherwise)
        await app(scope, receive, send)


def _only_body(endpoint: Callable[..., Any]) -> type[Body] | None:
    """The class of the body of a handler that takes no more than the direct way gives."""
    parameters = inspect.signature(endpoint).parameters
    if list(parameters) != ["body", "services", "record"]:
        return None
    kind = parameters["body"].annotation
    return kind if isinstance(kind, type) and issubclass(kind, Body) else None
