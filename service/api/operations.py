"""What an operator and a probe ask: is it alive, is it ready, what is it, what has it done."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service import __version__
from service.api.answers import error_response, json_response
from service.api.context import Running
from service.api.dialects.described import errors
from service.api.schemas.base import ErrorAnswer
from service.api.searching import MOST_OFFSET, most_queries
from service.errors import Unavailable
from service.services import Services

_TEXT = {"schema": {"type": "string"}}

router = APIRouter(tags=["operations"], responses=errors(ErrorAnswer, 503))


@router.get("/livez")
async def live(services: Running) -> Response:
    """Restart the process when this fails."""
    return _health(services.health.live())


@router.get("/startedz")
async def started(services: Running) -> Response:
    """Hold the other probes back until this answers 200."""
    return _health(services.health.started())


@router.get("/readyz")
@router.get("/health")
@router.get("/ping")
@router.get("/")
async def ready(services: Running) -> Response:
    """Send traffic only while this answers 200."""
    return _health(await services.health.ready())


@router.get("/info")
async def info(services: Running) -> Response:
    """The model, how it is computed, and every limit a caller can meet; flat, by the names that TEI gives them, too."""
    model, settings = services.model, services.settings
    return json_response(
        {
            **_named_by_tei(services),
            "version": __version__,
            "model": {
                "name": model.name,
                "kind": model.kind,
                "fingerprint": model.fingerprint,
                "pooling": model.pooling,
                "pooling_reason": model.pooling_reason,
                "max_tokens": model.max_tokens,
                "dimensions": {"sentence": model.dimension, "grounded": model.grounded_dimension},
                "prompts": dict(model.prompts),
                "default_prompt_name": model.default_prompt_name,
            },
            "runtime": {
                "name": services.encoder.name,
                "precision": services.encoder.precision,
                "reason": services.encoder.reason,
                "threads": services.encoder.threads,
            },
            "threads": services.threads,
            "batching": services.engine.budget.told(),
            "limits": {
                "body_bytes": settings.max_body_bytes,
                "items": settings.max_items,
                "points_per_request": settings.max_points_per_request,
                "characters": settings.max_chars,
                "metadata_bytes": settings.max_metadata_bytes,
                "limit": settings.max_limit,
                "hits": settings.max_hits,
                "offset": MOST_OFFSET,
                "queries": most_queries(settings),
                "snapshot_bytes": settings.max_snapshot_bytes,
                "pending": settings.max_pending,
                "batch_tokens": services.engine.budget.tokens,
                "points": settings.max_points,
                "request_timeout_s": settings.request_timeout_s,
            },
        }
    )


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": _TEXT}}})
async def metrics(services: Running) -> Response:
    """Prometheus text."""
    failing = await services.health.ready()
    services.metrics.ready.set(0 if failing else 1)
    services.metrics.set_points(await _points(services))
    return Response(services.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _named_by_tei(services: Services) -> dict[str, Any]:
    """What clients of Text Embeddings Inference look for."""
    model, settings = services.model, services.settings
    return {
        "model_id": model.name,
        "model_sha": model.fingerprint,
        "model_dtype": services.encoder.precision,
        "served_model_name": model.name,
        "model_type": {"embedding": {"pooling": model.pooling}},
        "max_concurrent_requests": settings.max_pending,
        "max_input_length": model.max_tokens,
        "max_batch_tokens": services.engine.budget.tokens,
        "max_batch_requests": None,
        "max_client_batch_size": settings.max_items,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "sha": None,
        "docker_label": None,
    }


async def _points(services: Services) -> dict[str, int]:
    """Sizes by collection; none while the store cannot be read, which is when the scrape is needed most."""
    try:
        return {info.name: info.count for info in await services.checks.call(services.collections.list)}
    except Unavailable:
        return {}


def _health(failing: list[str]) -> Response:
    if not failing:
        return json_response({"status": "ok"})
    return error_response(Unavailable(f"Failing: {', '.join(failing)}."), failing=failing)
