"""OpenAI's embeddings: `/v1/embeddings` and `/v1/models`, with and without the `/v1`."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Response

from service.api.answers import json_response, rows
from service.api.body import JsonRoute
from service.api.context import Current, Running
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.dialects.embedding import unit_vectors
from service.api.prompts import prompt_named
from service.api.schemas.openai import EmbeddingList, EmbeddingsRequest, ModelList, ModelObject, OpenAIError
from service.engine.part import Text
from service.errors import InvalidInput, NotFound
from service.services import Services

STARTED = int(time.time())  # what a model was created at, because a checkpoint does not say

router = APIRouter(route_class=JsonRoute, tags=["OpenAI"], responses=any_error(OpenAIError))
_ERRORS = errors_of_embedding(OpenAIError, bad_input=400)


@router.post("/v1/embeddings", response_model=EmbeddingList, responses=_ERRORS)
@router.post("/embeddings", response_model=EmbeddingList, responses=_ERRORS)
async def create_embeddings(body: EmbeddingsRequest, services: Running, record: Current) -> Response:
    """Vectors of unit length of one text or of several, with the default prompt of the model.

    Clients send the name of the model that they are configured with, so any name is taken; the answer names the model
    that is served. A text that is too long is cut at its end, and its object says so in `truncated` and
    `dropped_tokens`; `usage` counts what was read. Token ids are refused unless the service is set to take its own.
    """
    texts = body.input if body.input is not None else body.messages or []
    prompt = _prompt(services, texts)
    embedded, vectors = await unit_vectors(services, record, texts, prompt=prompt, dimensions=body.dimensions)
    tokens = sum(embedded.tokens)
    return json_response(
        {
            "object": "list",
            "data": _objects(await rows(vectors, body.encoding_format or "float"), embedded.dropped),
            "model": services.model.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


@router.get("/v1/models", response_model=ModelList)
@router.get("/models", response_model=ModelList)
async def list_models(services: Running) -> Response:
    """The one model that is served; `max_model_len` is the most tokens of a text."""
    return json_response({"object": "list", "data": [_model(services)]})


@router.get("/v1/models/{model:path}", response_model=ModelObject)
@router.get("/models/{model:path}", response_model=ModelObject)
async def retrieve_model(model: Annotated[str, Path(examples=["mcse-minilm-l6"])], services: Running) -> Response:
    """The model that is served, by its own name; 404 for others."""
    if model != services.model.name:
        raise NotFound(f"There is no such model; the one that is served is {services.model.name}.")
    return json_response(_model(services))


def _prompt(services: Services, texts: Sequence[Text]) -> str:
    """The default prompt, or none before token ids alone; raises InvalidInput where the service takes no token ids.

    LangChain's client sends those of another tokenizer unless it is told not to.
    """
    strings = sum(isinstance(text, str) for text in texts)
    if strings < len(texts) and not services.settings.accept_token_ids:
        raise InvalidInput(
            "`input` holds token ids, which belong to a tokenizer; send text. In LangChain's OpenAIEmbeddings set "
            "check_embedding_ctx_length=False. Ids of this model's own tokenizer need MCSE_ACCEPT_TOKEN_IDS=true.",
            param="input",
        )
    return prompt_named(services.model, None) if strings else ""


def _objects(vectors: Sequence[orjson.Fragment], dropped: Sequence[int]) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    for each, tokens in zip(objects, dropped, strict=True):
        if tokens:
            each.update(truncated=True, dropped_tokens=tokens)
    return objects


def _model(services: Services) -> dict[str, Any]:
    return {
        "id": services.model.name,
        "object": "model",
        "created": STARTED,
        "owned_by": "mcse",
        "max_model_len": services.model.max_tokens,
    }
