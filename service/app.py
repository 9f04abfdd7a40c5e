"""Put the service together: the routes when the app is made, the model and the store when it starts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from models.cores import usable_cores
from service import __version__
from service.access.access import Access
from service.access.described import describe_keys
from service.access.keyring import KeyRing
from service.access.limits import Limits
from service.access.origins import origins_in_list
from service.access.proxies import networks_in_list
from service.access.rules import require_rules
from service.api import bulk, collections, embed, operations, points, search, snapshots
from service.api.context import ERRORS
from service.api.dialects import cohere, ollama, openai, qdrant_inference, tei, weaviate
from service.api.direct import Shortcut, direct_routes
from service.api.docs import add_docs
from service.api.handlers import add_handlers
from service.api.uploads import forget_uploads
from service.engine.calibration import Calibration
from service.engine.engine import Engine
from service.engine.space import Space
from service.engine.workers import Workers
from service.errors import EncodeFailed, ModelError
from service.middleware import RequestMiddleware
from service.model import Encoder, ServedModel, open_model
from service.place import open_place
from service.search.indexes.threads import search_threads
from service.services import Services
from service.settings import Settings
from service.telemetry.health import Health
from service.telemetry.metrics import Metrics
from service.threads import blas_threads, openmp_threads, tokenizer_threads

OWN = (
    embed.router,
    search.router,
    collections.router,
    points.router,
    bulk.router,
    snapshots.router,
    operations.router,
)
DIALECTS = (
    tei.router,
    openai.router,
    cohere.router,
    ollama.router,
    weaviate.router,
    qdrant_inference.router,
)
ROUTERS = (*OWN, *DIALECTS)
READER_THREADS = 2
MOST_JOBS = 8  # each may hold a file of the size of a collection
WARM_UP = ["a"]
# Headers of an answer that a web page of another site may read.
EXPOSED = (
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-request-id",
    "x-truncated",
    "x-sha256",
)


def create_app(settings: Settings, *, checkpoint: ServedModel | None = None, runtime: Encoder | None = None) -> FastAPI:
    """The ASGI app. `checkpoint` and `runtime` replace those that the settings name; give both or none.

    Its lifespan raises StartError when the keys, the model or the store cannot be opened.
    """
    require_rules((method, path) for path, method, _ in _routes(ROUTERS))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        access = open_access(settings)
        model, encoder = (
            (checkpoint, runtime) if checkpoint is not None and runtime is not None else open_model(settings)
        )
        services = build(settings, access, model, encoder)
        try:
            services.metrics.announce_routes(_routes(ROUTERS))
            app.openapi()  # FastAPI finishes its routes at their first use, which would hold the first callers up
            app.middleware_stack = app.build_middleware_stack()  # likewise
            await _warm_up(services)
            app.state.services = replace(services, threads=await _threads(services))
            yield
        finally:
            services.health.draining = True
            await asyncio.to_thread(_close, services)

    app = _App(
        title="mcse",
        version=__version__,
        description="Sentence embeddings and semantic search, grounded in images.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        redirect_slashes=False,
        # Ours are in telemetry/; FastAPI's would hold messages and stack traces, which can hold a caller's text.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    for router in OWN:
        app.include_router(router, responses=ERRORS)
    for router in DIALECTS:  # each describes its own errors
        app.include_router(router)
    if settings.docs:
        add_docs(app)
    add_handlers(app)
    app.add_middleware(RequestMiddleware)
    app.origins = origins_in_list(settings.cors_origins)
    app.has_keys = settings.has_keys
    return app


class _App(FastAPI):
    """FastAPI with a shortcut before it, for the routes that are called most."""

    origins: Sequence[str] = ()
    """Of web pages that may call it from a browser."""
    has_keys = False

    def openapi(self) -> dict[str, Any]:
        """FastAPI's, which it makes once, with the keys in it where some are asked for."""
        description = super().openapi()
        if self.has_keys:
            describe_keys(description)
        return description

    def build_middleware_stack(self) -> ASGIApp:
        """FastAPI's, behind the shortcut; either way a request passes the middleware once."""
        direct = {key: RequestMiddleware(route) for key, route in direct_routes(ROUTERS).items()}
        stack = Shortcut(direct, super().build_middleware_stack())
        if not self.origins:
            return stack
        return CORSMiddleware(stack, self.origins, ["*"], ["*"], expose_headers=EXPOSED)


def open_access(settings: Settings) -> Access:
    """Raises SettingsError for a file of keys that cannot be used."""
    listed = settings.api_keys.get_secret_value() if settings.api_keys else None
    keys = KeyRing(listed, settings.api_keys_file) if settings.has_keys else None
    limited = settings.rate_limit or settings.concurrency_limit
    limits = Limits(settings.rate_limit, settings.concurrency_limit) if limited else None
    return Access(keys, limits, networks_in_list(settings.trusted_proxies))


def build(settings: Settings, access: Access, model: ServedModel, encoder: Encoder) -> Services:
    """Open the store and start the threads; raises StoreError. Call it on the event loop."""
    store = open_place(settings, model)
    forget_uploads(settings.data_dir)
    metrics = Metrics()
    engine = Engine(
        model,
        encoder,
        settings,
        metrics,
    )
    metrics.cache_bytes.set_function(lambda: engine.cache.bytes)
    metrics.batch_budget.set_function(lambda: engine.budget.tokens)
    metrics.pending.set_function(lambda: engine.admission.pending)
    metrics.model.labels(model.name, model.fingerprint, model.pooling, encoder.name).set(1)
    checks = Workers("checks", threads=1, permits=settings.max_pending)
    return Services(
        settings=settings,
        access=access,
        model=model,
        encoder=encoder,
        engine=engine,
        calibration=Calibration(model, encoder, engine.on_compute_thread, settings.data_dir),
        collections=store,
        readers=Workers("reader", threads=READER_THREADS, permits=settings.max_pending),
        writer=Workers("writer", threads=1, permits=settings.max_pending),
        jobs=Workers("job", threads=1, permits=MOST_JOBS),
        checks=checks,
        threads={},
        health=Health(worker=engine.healthy, store=lambda: checks.call(lambda: [*store.verify()])),
        metrics=metrics,
    )


async def _warm_up(services: Services) -> None:
    """The first forward pass is slow, and may be the first to fail; have it before the first caller."""
    spaces: list[Space] = ["sentence"]
    if services.model.grounded_dimension is not None:
        spaces.append("grounded")
    try:
        for space in spaces:
            await services.engine.embed(WARM_UP, space=space)
        if not services.settings.max_batch_tokens:
            await services.engine.tune(services.settings.data_dir)
    except EncodeFailed as error:
        raise ModelError(f"{services.model.name} loads but cannot encode; see the log.") from error
    services.health.warm = True


async def _threads(services: Services) -> dict[str, int | None]:
    """Asked of each library where it computes, because most of them keep the number for each thread apart."""
    return {
        "cores": usable_cores(),
        "encoder": services.encoder.threads,
        "openmp": await services.engine.on_compute_thread(openmp_threads),
        "blas": blas_threads(),
        "faiss": await services.readers.call(search_threads),
        "tokenizers": tokenizer_threads(),
    }


def _close(services: Services) -> None:
    """In the order of a request's way, so that what was accepted is finished."""
    services.engine.close()
    services.writer.close()
    services.readers.close()
    services.jobs.close()
    services.checks.close()
    services.collections.close()


def _routes(routers: tuple[APIRouter, ...]) -> list[tuple[str, str, int]]:
    """(path, method, status of success) of every route."""
    return [
        (route.path_format, method, route.status_code or 200)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]
