"""Ollama's embeddings: `/api/embed`, the older `/api/embeddings`, and what its clients ask before."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from service import __version__
from service.api.answers import json_response, numbers
from service.api.body import JsonRoute
from service.api.context import Current, Running
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.dialects.embedding import unit_vectors
from service.api.prompts import prompt_named
from service.api.schemas.ollama import (
    OllamaEmbedAnswer,
    OllamaEmbedRequest,
    OllamaError,
    OllamaModels,
    OllamaPromptAnswer,
    OllamaPromptRequest,
    OllamaVersion,
)

STARTED = datetime.now(UTC).isoformat(timespec="seconds")  # a checkpoint does not say when it was made
NANOSECONDS = 1_000_000_000

router = APIRouter(route_class=JsonRoute, tags=["Ollama"], responses=any_error(OllamaError))
_ERRORS = errors_of_embedding(OllamaError)


@router.post("/api/embed", response_model=OllamaEmbedAnswer, responses=_ERRORS)
async def embed(body: OllamaEmbedRequest, services: Running, record: Current) -> Response:
    """Vectors of unit length of one text or of several, with the default prompt of the model.

    `model` may be any name. `prompt_eval_count` counts the tokens that were read; the header `x-truncated` says how
    many texts were cut, for which the dialect has no room.
    """
    embedded, vectors = await unit_vectors(
        services,
        record,
        body.input,
        prompt=prompt_named(services.model, None),
        dimensions=body.dimensions,
        truncate=body.truncate is not False,
    )
    return json_response(
        {
            "model": services.model.name,
            "embeddings": await numbers(vectors),
            "total_duration": int(record.elapsed() * NANOSECONDS),
            "load_duration": 0,  # it was loaded before the first request
            "prompt_eval_count": sum(embedded.tokens),
        }
    )


@router.post("/api/embeddings", response_model=OllamaPromptAnswer, responses=_ERRORS)
async def embed_prompt(body: OllamaPromptRequest, services: Running, record: Current) -> Response:
    """The vector of one text, of unit length, so that it can be compared with those of `/api/embed`."""
    _, vectors = await unit_vectors(services, record, [body.prompt], prompt=prompt_named(services.model, None))
    return json_response({"embedding": vectors[0]})


@router.get("/api/tags", response_model=OllamaModels)
async def list_models(services: Running) -> Response:
    """The one model that is served."""
    model = services.model
    tagged = model.name if ":" in model.name else f"{model.name}:latest"
    about = {
        "name": tagged,
        "model": tagged,
        "modified_at": STARTED,
        "size": 0,
        "digest": model.fingerprint,
        "details": {
            "parent_model": "",
            "format": "safetensors",
            "family": model.kind,
            "families": [model.kind],
            "parameter_size": "",
            "quantization_level": services.encoder.precision,
        },
    }
    return json_response({"models": [about]})


@router.get("/api/version", response_model=OllamaVersion)
async def version() -> Response:
    """The version of this service."""
    return json_response({"version": __version__})
