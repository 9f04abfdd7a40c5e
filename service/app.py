"""Put the service together: the routes when the app is made, the model and the store when it starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from models.cores import usable_cores
from service import __version__
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


def create_app(settings: Settings, *, checkpoint: ServedModel | None = None, runtime: Encoder | None = None) -> FastAPI:
    """The ASGI app. `checkpoint` and `runtime` replace those that the settings name; give both or none.

    Its lifespan raises StartError when the model or the store cannot be opened.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        model, encoder = (
            (checkpoint, runtime) if checkpoint is not None and runtime is not None else open_model(settings)
        )
        services = build(settings, model, encoder)
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
    return app


class _App(FastAPI):
    """FastAPI with a shortcut before it, for the routes that are called most."""

    def build_middleware_stack(self) -> ASGIApp:
        """FastAPI's, behind the shortcut; either way a request passes the middleware once."""
        direct = {key: RequestMiddleware(route) for key, route in direct_routes(ROUTERS).items()}
        return Shortcut(direct, super().build_middleware_stack())


def build(settings: Settings, model: ServedModel, encoder: Encoder) -> Services:
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
