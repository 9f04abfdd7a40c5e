"""Cohere's embeddings: `/v2/embed`, and `/v1/embed` of its older client."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from service.api.answers import json_response, numbers, rows
from service.api.body import JsonRoute
from service.api.context import Current, Running
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.dialects.embedding import unit_vectors
from service.api.prompts import prompt_for, prompt_named
from service.api.schemas.cohere import CohereByType, CohereError, CohereFloats, CohereRequest, EmbeddingType
from service.engine.engine import Embedded
from service.engine.postprocess import Vectors
from service.errors import InvalidInput
from service.model import ServedModel
from service.record import Record
from service.services import Services

router = APIRouter(route_class=JsonRoute, tags=["Cohere"], responses=any_error(CohereError))
_ERRORS = errors_of_embedding(CohereError)


@router.post("/v2/embed", response_model=CohereByType, responses=_ERRORS)
async def embed_v2(body: CohereRequest, services: Running, record: Current) -> Response:
    """Vectors of unit length, in one or several types; the ranges of int8 and uint8 belong to the checkpoint.

    `model` may be any name. `input_type` picks the prompt: `search_query` that of queries, `search_document` that of
    documents, the others one of their own name. `meta.warnings` tells of texts that were cut.
    """
    asked = await _embed(body, services, record)
    return json_response(await _by_type(asked, body.embedding_types or ["float"], services, record, version="2"))


@router.post("/v1/embed", response_model=CohereByType | CohereFloats, responses=_ERRORS)
async def embed_v1(body: CohereRequest, services: Running, record: Current) -> Response:
    """As `/v2/embed`; without `embedding_types`, `embeddings` is the bare matrix."""
    asked = await _embed(body, services, record)
    if body.embedding_types:
        return json_response(await _by_type(asked, body.embedding_types, services, record, version="1"))
    about = _about(asked, record, version="1")
    return json_response({**about, "embeddings": await numbers(asked.vectors), "response_type": "embeddings_floats"})


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    texts: list[str]
    embedded: Embedded
    vectors: Vectors


async def _embed(body: CohereRequest, services: Services, record: Record) -> _Asked:
    texts = body.texts if body.texts is not None else body.inputs or []
    if body.max_tokens is not None and body.max_tokens < services.model.max_tokens:
        raise InvalidInput(
            f"`max_tokens` is {body.max_tokens}; this model reads up to {services.model.max_tokens} tokens, and "
            "cannot be told to read fewer. Leave it out.",
            param="max_tokens",
        )
    embedded, vectors = await unit_vectors(
        services,
        record,
        texts,
        prompt=_prompt(services.model, body.input_type),
        dimensions=body.output_dimension,
        truncate=body.truncate != "NONE",
        direction="left" if body.truncate == "START" else "right",
    )
    return _Asked(texts, embedded, vectors)


def _prompt(model: ServedModel, input_type: str | None) -> str:
    if input_type == "search_query":
        return prompt_for(model, "query")
    if input_type == "search_document":
        return prompt_for(model, "document")
    return prompt_named(model, input_type if input_type in model.prompts else None)


async def _by_type(
    asked: _Asked, types: list[EmbeddingType], services: Services, record: Record, *, version: str
) -> dict[str, Any]:
    return {
        **_about(asked, record, version=version),
        "embeddings": {kind: await _of_type(asked.vectors, kind, services) for kind in dict.fromkeys(types)},
        "response_type": "embeddings_by_type",
    }


async def _of_type(vectors: Vectors, kind: EmbeddingType, services: Services) -> Any:
    if kind == "base64":
        return await rows(vectors, "base64")
    quantized = await services.calibration.quantized(vectors, "float32" if kind == "float" else kind, "sentence")
    return await numbers(quantized)


def _about(asked: _Asked, record: Record, *, version: str) -> dict[str, Any]:
    """What stands beside the vectors."""
    meta: dict[str, Any] = {
        "api_version": {"version": version},
        "billed_units": {"input_tokens": sum(asked.embedded.tokens)},
    }
    cut = sum(1 for dropped in asked.embedded.dropped if dropped)
    if cut:
        meta["warnings"] = [f"{cut} of {len(asked.texts)} texts were longer than the model reads, and were cut."]
    return {"id": record.request_id, "texts": asked.texts, "meta": meta}
