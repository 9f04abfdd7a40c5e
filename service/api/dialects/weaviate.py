"""What Weaviate's module text2vec-transformers calls: `/vectors`, `/meta` and the probes under `/.well-known`."""

from fastapi import APIRouter, Response

from service import __version__
from service.api.answers import json_response, numbers
from service.api.body import UntypedJsonRoute
from service.api.context import Current, Running
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.dialects.embedding import unit_vectors
from service.api.prompts import prompt_for, prompt_named
from service.api.schemas.weaviate import (
    VectorAnswer,
    VectorsAnswer,
    VectorsConfig,
    VectorsRequest,
    WeaviateError,
    WeaviateMeta,
)
from service.errors import Unavailable
from service.model import ServedModel

# Weaviate does not say what the body of a single text is.
router = APIRouter(route_class=UntypedJsonRoute, tags=["Weaviate"], responses=any_error(WeaviateError))
_ERRORS = errors_of_embedding(WeaviateError)
_NONE = VectorsConfig()


@router.post("/vectors", response_model=VectorAnswer | VectorsAnswer, responses=_ERRORS)
@router.post("/vectors/", response_model=VectorAnswer | VectorsAnswer, responses=_ERRORS)
async def vectors(body: VectorsRequest, services: Running, record: Current) -> Response:
    """The vector of `text`, or those of `texts`, of unit length.

    `config.task_type` picks the prompt, `config.dimensions` cuts. The header `x-truncated` says how many texts were
    cut, for which the dialect has no room.
    """
    config = body.config or _NONE
    texts = [body.text] if body.text is not None else body.texts or []
    _, found = await unit_vectors(
        services, record, texts, prompt=_prompt(services.model, config), dimensions=config.dimensions
    )
    dims = found.shape[1]
    if body.text is None:
        return json_response({"vectors": await numbers(found), "dims": dims, "error": ""})
    return json_response({"text": body.text, "vector": found[0], "dims": dims, "dim": dims, "error": ""})


@router.get("/.well-known/live", status_code=204)
async def live(services: Running) -> Response:
    """204 while the process works; 503 when it should be restarted."""
    return _probe(services.health.live())


@router.get("/.well-known/ready", status_code=204)
async def ready(services: Running) -> Response:
    """204 while the service can take traffic, 503 with the reason otherwise."""
    return _probe(await services.health.ready())


@router.get("/meta", response_model=WeaviateMeta)
async def meta(services: Running) -> Response:
    """What the served model is."""
    model = services.model
    about = {
        "name": model.name,
        "kind": model.kind,
        "fingerprint": model.fingerprint,
        "pooling": model.pooling,
        "max_tokens": model.max_tokens,
        "dimensions": model.dimension,
    }
    return json_response({"model": about, "version": __version__})


def _prompt(model: ServedModel, config: VectorsConfig) -> str:
    if config.task_type is None:
        return prompt_named(model, None)
    return prompt_for(model, "query" if config.task_type == "query" else "document")


def _probe(failing: list[str]) -> Response:
    if failing:
        raise Unavailable(f"Failing: {', '.join(failing)}.")
    return Response(status_code=204)
