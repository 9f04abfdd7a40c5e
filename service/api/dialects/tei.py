"""Text Embeddings Inference's routes beside `/embed` and `/similarity`, which are also our own."""

import asyncio
from collections.abc import Sequence

import numpy as np
import orjson
from fastapi import APIRouter, Response
from numpy.typing import NDArray

from models.errors import TextError
from service.api.answers import AT_ONCE as NUMBERS_AT_ONCE
from service.api.answers import json_response, numbers
from service.api.body import JsonRoute
from service.api.context import Current, Running, require_at_most, token_states
from service.api.dialects.described import any_error, errors_of_embedding
from service.api.embed import embed_texts, similarity
from service.api.output import FORMS, Wanted, require_json
from service.api.prompts import prompt_named
from service.api.schemas.base import ErrorAnswer
from service.api.schemas.embed import EmbedRequest, SentencePair, SimilarityParameters, SimilarityRequest
from service.api.schemas.tei import (
    DecodeRequest,
    EmbedAllRequest,
    RootRequest,
    Sentences,
    TokenAnswer,
    TokenizeRequest,
)
from service.engine.part import AT_ONCE, check_lengths
from service.errors import EmptyInput, InvalidInput
from service.model import Tokenizer

MOST_TOKENS = 262_144  # in one answer of `/tokenize`, each of which is an object

router = APIRouter(route_class=JsonRoute, tags=["Text Embeddings Inference"], responses=any_error(ErrorAnswer))
_ERRORS = errors_of_embedding(ErrorAnswer)


@router.post("/", response_model=list[list[float]] | list[float], responses={**_ERRORS, **FORMS})
async def by_shape(body: RootRequest, services: Running, record: Current, output: Wanted) -> Response:
    """What `/embed` answers, or for a source sentence and others what `/similarity` does: both are posted here."""
    if isinstance(body.inputs, Sentences):
        require_json(output, "A similarity")
        return await similarity(_pairs(body, body.inputs), services, record)
    asked = EmbedRequest(
        inputs=body.inputs,
        normalize=body.normalize is not False,
        truncate=body.truncate,
        truncation_direction=body.truncation_direction or "right",
        prompt_name=body.prompt_name,
        dimensions=body.dimensions,
    )
    return await embed_texts(asked, services, record, output)


@router.post("/embed_all", response_model=list[list[list[float]]], responses=_ERRORS)
async def embed_all(body: EmbedAllRequest, services: Running, record: Current) -> Response:
    """The last layer's state of every token of every text, special tokens too: not pooled, not normalised."""
    require_at_most(len(body.inputs), services.settings.max_items, "inputs")
    prompt = prompt_named(services.model, body.prompt_name)
    with services.engine.state_answer():
        found = await token_states(
            services,
            record,
            body.inputs,
            truncate=body.truncate is not False,
            direction=body.truncation_direction,
            prompt=prompt,
        )
        return json_response(await _matrices(found.states))


@router.post("/tokenize", response_model=list[list[TokenAnswer]], responses=_ERRORS)
async def tokenize(body: TokenizeRequest, services: Running, record: Current) -> Response:
    """The tokens of each text, uncut, and where each stands in it; with a prompt, in the text that begins with it."""
    prompt = prompt_named(services.model, body.prompt_name)
    texts = [prompt + text for text in body.inputs]
    _check_count(texts, services.settings.max_items)
    check_lengths(texts, services.settings.max_chars)
    answer: list[orjson.Fragment] = []
    room = MOST_TOKENS
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start : start + AT_ONCE]
        with record.stage("tokenize"):
            tokens, written = await services.readers.call(
                _tokens, services.model.tokenizer, some, start, special=body.add_special_tokens
            )
        answer += written
        room -= tokens
        if room < 0:
            raise InvalidInput(f"There are more than {MOST_TOKENS} tokens, the most in one answer; send fewer texts.")
    return json_response(answer)


@router.post("/decode", response_model=list[str], responses=_ERRORS)
async def decode(body: DecodeRequest, services: Running, record: Current) -> Response:
    """The text of each list of token ids."""
    _check_count(body.ids, services.settings.max_items)
    check_lengths(body.ids, services.settings.max_chars)
    answer: list[str] = []
    for start in range(0, len(body.ids), AT_ONCE):
        some = body.ids[start : start + AT_ONCE]
        with record.stage("tokenize"):
            answer += await services.readers.call(
                _texts, services.model.tokenizer, some, start, skip_special=body.skip_special_tokens
            )
    return json_response(answer)


@router.post("/rerank", status_code=422, response_model=ErrorAnswer)
@router.post("/predict", status_code=422, response_model=ErrorAnswer)
@router.post("/embed_sparse", status_code=422, response_model=ErrorAnswer)
async def for_other_models() -> Response:
    """What an embedding model cannot answer; the message names what can be asked instead."""
    raise InvalidInput(
        "This is an embedding model: it neither ranks, classifies nor weighs words. For the scores of sentences "
        "against a query use `/similarity`, for their vectors `/embed`."
    )


def _pairs(body: RootRequest, inputs: Sentences) -> SimilarityRequest:
    given = body.parameters
    return SimilarityRequest(
        inputs=SentencePair(source_sentence=inputs.source_sentence, sentences=inputs.sentences),
        parameters=None if given is None else SimilarityParameters(**given.model_dump()),
    )


def _check_count(items: Sequence[object], most: int) -> None:
    if not items:
        raise EmptyInput("Nothing was sent; send at least one.")
    require_at_most(len(items), most, "items")


async def _matrices(states: Sequence[NDArray[np.float32]]) -> list[orjson.Fragment]:
    """Each as JSON, and between many of them a turn for the others on the event loop."""
    written, held = [], 0
    for matrix in states:
        if held + matrix.size > NUMBERS_AT_ONCE:
            await asyncio.sleep(0)
            held = 0
        held += matrix.size
        written.append(await numbers(matrix))
    return written


def _tokens(
    tokenizer: Tokenizer, texts: Sequence[str], first: int, *, special: bool
) -> tuple[int, list[orjson.Fragment]]:
    """Reader thread. How many there are, and each text's as JSON; `first` is the position of the first text."""
    try:
        tokens = tokenizer.tokens(texts, special=special)
    except TextError as error:
        raise InvalidInput(f"The text at position {first + error.index} cannot be tokenized: {error}.") from error
    return sum(map(len, tokens)), [orjson.Fragment(orjson.dumps(each)) for each in tokens]


def _texts(tokenizer: Tokenizer, contents: Sequence[Sequence[int]], first: int, *, skip_special: bool) -> Sequence[str]:
    """Reader thread."""
    try:
        return tokenizer.decode(contents, skip_special=skip_special)
    except TextError as error:
        raise InvalidInput(f"The ids at position {first + error.index} cannot be decoded: {error}.") from error
