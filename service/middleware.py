"""Around every request: its id, its deadline, its headers, one log line and its metrics. Pure ASGI."""

import asyncio
import random
import re
from collections.abc import Iterable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from service.access.access import Access, Visit, is_known
from service.access.audit import write_audit
from service.api.answers import error_response
from service.errors import DeadlineExceeded, RateLimited, ServiceError, Unavailable
from service.protocol import CYCLE_KEY, PATIENCE_KEY, SendWhole, sender_of_whole
from service.record import RECORD_KEY, Record
from service.search.names import NAME
from service.services import Services, services_of
from service.telemetry.logs import describe
from service.watch import WATCH_KEY, Watch

CLIENT_CLOSED_REQUEST = 499  # nginx's number for a caller who left; it is logged, never sent
_REFUSALS = {
    401: "unauthorized",
    403: "forbidden",
    413: "body_too_large",
    429: "overloaded",
    504: "deadline",
    CLIENT_CLOSED_REQUEST: "disconnected",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET_ROUTES = frozenset(
    {"/health", "/ping", "/livez", "/readyz", "/startedz", "/metrics", "/.well-known/live", "/.well-known/ready"}
)
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger()


class RequestMiddleware:
    """The outermost layer of our own; no exception passes it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._log = log.bind()  # once: to find the logger takes longer than to write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        services = services_of(scope)
        record = scope[RECORD_KEY] = Record(request_id(scope["headers"]))
        visit = services.access.enter(scope)
        answer = _Answer(send, sender_of_whole(scope, send), record, services.model.fingerprint, visit)
        try:
            error = visit.refusal or await self._run(scope, receive, answer, services)
            if error is not None and not answer.started:
                await error_response(error, scope["path"])(scope, receive, answer.send)
        finally:
            services.access.leave(visit)
            for key in (
                WATCH_KEY,
                CYCLE_KEY,
                PATIENCE_KEY,
            ):  # they know the scope: it would take a collector to free it
                scope.pop(key, None)
        _report(self._log, scope, services, record, answer)
        _audit(services.access, scope, visit, record, answer.status)

    async def _run(self, scope: Scope, receive: Receive, answer: "_Answer", services: Services) -> ServiceError | None:
        """Run the app; returns the error that is still to be answered."""
        timeout_s = services.settings.request_timeout_s
        try:
            with Watch(receive, timeout_s, answer.is_complete) as watch:
                scope[WATCH_KEY] = watch
                await self.app(scope, watch.receive, answer.send)
        except ServiceError as error:
            return error
        except ClientDisconnect:
            answer.status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            if not services.health.draining:
                raise
            _go_on()  # the time to drain is over; the caller is told before the process ends
            return Unavailable("The service is stopping and could not finish this request; send it again.")
        except TimeoutError:
            return DeadlineExceeded(f"The answer was not ready within {timeout_s:g} seconds.")
        except Exception as error:  # HTTP border: the caller gets a 500, the operator this line
            self._log.error("request_failed", request_id=answer.record.request_id, **describe(error))
            return ServiceError("Something went wrong inside the service; the request id is in its log.")
        return None


class _Answer:
    """`send`, with our headers put on, remembering what was sent."""

    def __init__(self, send: Send, whole: SendWhole | None, record: Record, fingerprint: str, visit: Visit) -> None:
        self.record = record
        self.visit = visit
        self.status = CLIENT_CLOSED_REQUEST  # until something is sent
        self.started = False  # the head is sent with the first part of the body
        self._complete = False
        self._send = send
        self._send_whole = whole
        self._head: Message = {}
        self._headers = [(b"x-model-fingerprint", fingerprint.encode()), (b"x-content-type-options", b"nosniff")]

    def is_complete(self) -> bool:
        return self._complete

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *self.record.headers(), *self._headers, *self.visit.headers]
            self._head = message
            return
        self._complete = not message.get("more_body", False)
        if not self.started:
            self.started = True
            self.status = self._head["status"]
            if self._complete and self._is_sent_whole(message.get("body", b"")):
                return
            await self._send(self._head)
        await self._send(message)

    def _is_sent_whole(self, body: bytes) -> bool:
        return self._send_whole is not None and self._send_whole(self._head["status"], self._head["headers"], body)


def _go_on() -> None:
    """Take the cancellation of this task back."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's id where it is safe to log, else a new one. It names, and protects nothing: no secret is drawn."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode()
    return f"{random.getrandbits(128):032x}"


def _report(log: FilteringBoundLogger, scope: Scope, services: Services, record: Record, answer: _Answer) -> None:
    route = _route(scope)
    status = answer.status
    method = scope["method"] if scope["method"] in _METHODS else "other"
    seconds = record.elapsed()
    _count(services, record, answer, seconds)
    services.metrics.requests.inc((route, method, str(status)))
    write = log.debug if route in _QUIET_ROUTES else log.info
    write(
        "request",
        request_id=record.request_id,
        route=route,
        method=method,
        status=status,
        items=record.items,
        tokens=record.tokens,
        truncated=record.truncated,
        ms=round(seconds * 1000, 2),
    )


def _audit(access: Access, scope: Scope, visit: Visit, record: Record, status: int) -> None:
    """One line more for what changes data, where it is known who asks for it."""
    rule = visit.rule
    if rule is None or not rule.changes or not is_known(visit):
        return
    name = rule.name_in(scope["path"])
    write_audit(
        rule,
        who=access.caller(visit, scope),
        role=visit.key.role if visit.key else None,
        name=name if name and NAME.fullmatch(name) else None,
        points=record.changed,
        status=status,
        request_id=record.request_id,
    )


def _count(services: Services, record: Record, answer: _Answer, seconds: float) -> None:
    metrics = services.metrics
    for stage, spent in record.seconds.items():
        metrics.stages.observe(stage, spent)
    metrics.stages.observe("total", seconds)
    metrics.tokens.inc(record.tokens)
    metrics.truncated.inc(record.truncated)
    reason = "rate_limited" if isinstance(answer.visit.refusal, RateLimited) else _REFUSALS.get(answer.status)
    if reason:
        metrics.refused.labels(reason).inc()


def _route(scope: Scope) -> str:
    """The template, such as `/collections/{name}`; a path as sent could hold a caller's text."""
    path: str = getattr(scope.get("route"), "path_format", "unmatched")
    return path
