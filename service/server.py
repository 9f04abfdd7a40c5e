"""Run the app in this process: one event loop, our limits, and an end that loses nothing."""

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI

from service.access.certificate import Certificate
from service.access.handshakes import Handshakes
from service.access.secured import SecuredProtocol
from service.app import create_app
from service.errors import AddressError
from service.protocol import LimitedProtocol, limited_protocol
from service.services import Services
from service.settings import Settings
from service.telemetry.logs import configure_logs

KEEP_ALIVE_S = 30  # longer than most clients' pools think, so that they close first
BACKLOG = 1024
COLLECT_AFTER = 10_000  # objects made and kept; Python's 700 are reached by a few dozen requests under way

log = structlog.get_logger()


def serve(settings: Settings, started: float) -> None:
    """Serve until SIGTERM or SIGINT, then drain; raises StartError when the service cannot start.

    `started` is the monotonic time from which the ready line counts.
    """
    serve_app(create_app(settings), settings, started)


def serve_app(app: FastAPI, settings: Settings, started: float) -> None:
    """The same with an app that was made before."""
    lines = configure_logs(settings.log_level)
    try:
        certificate = certificate_of(settings)
        with closing(_bind(settings)) as listener:  # before the model is loaded: a taken port is told at once
            uvloop.run(run_app(app, settings, listener, certificate, started))
    finally:
        lines.write_out()


async def run_app(
    app: FastAPI, settings: Settings, listener: socket.socket, certificate: Certificate | None, started: float
) -> None:
    """The lifespan is entered here and not by uvicorn, which turns its failure into a traceback."""
    async with app.router.lifespan_context(app):
        with _naming_address(settings):
            calm_collector()
            listener.listen(BACKLOG)  # not sooner: until it can be answered, a connection is refused and does not hang
        await DrainingServer(config_of(app, settings), app.state.services, certificate, started).serve(
            sockets=[listener]
        )
    log.info("stopped")


def calm_collector() -> None:
    """Requests leave no cycles behind, so there is little to collect, and nothing of what is here already."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


class DrainingServer(uvicorn.Server):
    """Readiness turns false before the last requests are finished; a finished drain exits with 0."""

    def __init__(
        self, config: uvicorn.Config, services: Services, certificate: Certificate | None, started: float
    ) -> None:
        super().__init__(config)
        self._services = services
        self._certificate = certificate
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are answered from now on."""
        (listener,) = sockets or []
        if self._certificate is None:
            await super().startup(sockets)
        else:
            self._start_encrypted(listener, self._certificate)
        host, port = listener.getsockname()[:2]
        log.info(
            "ready",
            url=f"{'http' if self._certificate is None else 'https'}://{host}:{port}",
            model=self._services.model.name,
            fingerprint=self._services.model.fingerprint,
            seconds=round(time.monotonic() - self._started, 2),
        )

    def _start_encrypted(self, listener: socket.socket, certificate: Certificate) -> None:
        """What uvicorn does, but for who accepts."""
        if not self.config.loaded:
            self.config.load()
        kind = cast(type[LimitedProtocol], self.config.http_protocol_class)
        secured: Any = type("SecuredProtocol", (SecuredProtocol,), {"max_connections": kind.max_connections})

        def protocol() -> SecuredProtocol:
            return cast(SecuredProtocol, secured(self.config, self.server_state, self.lifespan.state))

        connections = self.server_state.connections
        accepting: Any = Handshakes(listener, certificate.context, protocol, connections, kind.max_connections)
        self.servers = [accepting]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Runs at SIGTERM."""
        self._services.health.draining = True
        log.info("draining")
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again at the end, which would kill us before the store is closed."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def certificate_of(settings: Settings) -> Certificate | None:
    """What the settings name; raises SettingsError where it cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def config_of(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """For uvicorn: what it does without our limits is turned off."""
    return uvicorn.Config(
        app,
        http=limited_protocol(settings.max_connections),
        ws="none",
        lifespan="off",
        log_config=None,  # telemetry/logs.py has set up the logs
        log_level="warning",
        access_log=False,  # the middleware writes it
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.drain_s,
    )


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        with _naming_address(settings):
            listener.bind((settings.host, settings.port))
    except AddressError:
        listener.close()
        raise
    return listener


@contextmanager
def _naming_address(settings: Settings) -> Iterator[None]:
    """Both `bind` and `listen` may find that another process has the port."""
    try:
        yield
    except OSError as error:
        raise AddressError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}); stop what uses it, or set MCSE_PORT."
        ) from error
