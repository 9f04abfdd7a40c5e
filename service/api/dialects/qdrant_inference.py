"""Qdrant's inference: a Qdrant server that is given this address embeds the texts that its users send.

inference:
  address: http://mcse:8080/qdrant/inference
"""

from fastapi import APIRouter, Response

from service.api.answers import json_response, numbers
from service.api.body import JsonRoute
from service.api.context import Current, Running
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.dialects.embedding import unit_vectors
from service.api.prompts import prompt_for, prompt_named
from service.api.schemas.qdrant import InferenceAnswer, InferenceInput, InferenceRequest, QdrantError
from service.errors import InvalidInput
from service.model import ServedModel

router = APIRouter(route_class=JsonRoute, tags=["Qdrant inference"], responses=any_error(QdrantError))


@router.post(
    "/qdrant/inference", response_model=InferenceAnswer, responses=errors_of_embedding(QdrantError, bad_input=400)
)
async def infer(body: InferenceRequest, services: Running, record: Current) -> Response:
    """Vectors of unit length of texts.

    `model` may be any name. The header `x-truncated` says how many texts were cut, for which the dialect has no room.
    """
    texts = [_text(position, each) for position, each in enumerate(body.inputs)]
    embedded, vectors = await unit_vectors(services, record, texts, prompt=_prompt(services.model, body.inference))
    usage = {"models": {services.model.name: {"tokens": sum(embedded.tokens)}}}
    return json_response({"embeddings": await numbers(vectors), "usage": usage})


def _text(position: int, item: InferenceInput) -> str:
    if item.data_type != "text":
        raise InvalidInput(
            f"The input at position {position} is not a text, and this service has no encoder for others; "
            "send inputs of the data type `text`."
        )
    if not isinstance(item.data, str):
        raise InvalidInput(f"The `data` of the input at position {position} must be a string.")
    return item.data


def _prompt(model: ServedModel, inference: str | None) -> str:
    if inference is None:
        return prompt_named(model, None)
    return prompt_for(model, "query" if inference == "search" else "document")
