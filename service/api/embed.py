"""`/embed` and `/similarity`: vectors, and cosines between them."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Response

from service.api.answers import json_response, matrix, numbers
from service.api.body import JsonRoute
from service.api.context import Current, Running, embed, require_at_most
from service.api.dialects.described import errors_of_embedding
from service.api.output import FORMS, Wanted, matrix_response, require_json
from service.api.prompts import prompt_named
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.embed import EmbedDetails, EmbedRequest, SimilarityParameters, SimilarityRequest
from service.engine.engine import Embedded
from service.engine.postprocess import shape_vectors, unit
from service.errors import EmptyInput

_NONE = SimilarityParameters()

router = APIRouter(route_class=JsonRoute, tags=["embed"], responses=errors_of_embedding(ErrorAnswer))


@router.post(
    "/embed",
    response_model=list[list[float]] | list[str] | EmbedDetails,
    responses=dict(FORMS),
)
async def embed_texts(body: EmbedRequest, services: Running, record: Current, output: Wanted) -> Response:
    """Vectors of one text or of several; always a matrix, one row per text.

    It leaves as JSON, or in the form that `Accept` names: bytes whose shape and type are in `x-shape` and `x-dtype`, a
    file of NumPy, or a stream of Arrow. Codes of `quantization` are the same whatever they are embedded together with.
    """
    require_at_most(len(body.inputs), services.settings.max_items, "inputs")
    if body.details:
        require_json(output, "`details`")
    if body.encoding_format == "base64":
        require_json(output, "`encoding_format` base64")
    embedded = await embed(
        services,
        record,
        body.inputs,
        space=body.space,
        truncate=body.truncate is not False,
        direction=body.truncation_direction,
        prompt=prompt_named(services.model, body.prompt_name),
    )
    vectors = shape_vectors(embedded.vectors, dimensions=body.dimensions, normalize=body.normalize)
    codes = await services.calibration.quantized(vectors, body.quantization, body.space)
    if not body.details:
        return await matrix_response(codes, output, body.encoding_format)
    return json_response(
        {
            "model": services.model.name,
            "space": body.space,
            "dimensions": vectors.shape[1],
            "embeddings": await matrix(codes, body.encoding_format),
            **_lengths(embedded),
        }
    )


@router.post("/similarity", response_model=list[float] | list[list[float]])
async def similarity(body: SimilarityRequest, services: Running, record: Current) -> Response:
    """Cosines: a list for `inputs`, a matrix (queries x keys) for `queries` and `keys`."""
    rows, columns = _sides(body)
    if not rows or not columns:
        raise EmptyInput("Both sides need at least one sentence.")
    texts = [*rows, *columns]
    require_at_most(len(texts), services.settings.max_items, "sentences on both sides together")
    given = body.parameters or _NONE
    embedded = await embed(
        services,
        record,
        texts,
        space=body.space,
        truncate=body.truncate if given.truncate is None else given.truncate,
        direction=given.truncation_direction,
        prompt=prompt_named(services.model, given.prompt_name),
    )
    vectors = unit(embedded.vectors)
    cosines = np.clip(vectors[: len(rows)] @ vectors[len(rows) :].T, -1.0, 1.0)  # (rows, columns)
    return json_response(await numbers(cosines if body.inputs is None else cosines[0]))


def _sides(body: SimilarityRequest) -> tuple[list[str], list[str]]:
    if body.inputs is not None:
        return [body.inputs.source_sentence], body.inputs.sentences
    return body.queries or [], body.keys or []


def _lengths(embedded: Embedded) -> dict[str, Any]:
    return {
        "tokens": embedded.tokens,
        "dropped": embedded.dropped,
        "truncated": [dropped > 0 for dropped in embedded.dropped],
    }
