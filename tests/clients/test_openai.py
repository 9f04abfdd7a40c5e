"""The `openai` package."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI, RateLimitError

from tests.clients.installed import assert_same
from tests.clients.servers import MODEL, SERVICE, BusyServer, Server, Vectors, started
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        yield client


def embed(client: OpenAI, texts: str | list[str], **fields: Any) -> Vectors:
    answer = client.embeddings.create(model=MODEL, input=texts, **fields)
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return np.array([item.embedding for item in answer.data], dtype=np.float32)


def test_one_text_and_many_have_the_vectors_of_the_native_route(client: OpenAI, server: Server) -> None:
    assert_same(embed(client, ONE), server.embed([ONE]))
    assert_same(embed(client, ALL), server.embed(ALL))


def test_floats_are_the_same_vectors_as_the_base64_that_it_asks_for_by_itself(client: OpenAI, server: Server) -> None:
    raw = client.embeddings.with_raw_response.create(model=MODEL, input=MANY)
    assert isinstance(json.loads(raw.http_request.content)["encoding_format"], str)
    assert isinstance(json.loads(raw.http_response.content)["data"][0]["embedding"], str)
    assert_same(embed(client, MANY, encoding_format="float"), server.embed(MANY))


def test_dimensions_are_cut_and_then_normalised(client: OpenAI, server: Server) -> None:
    cut = embed(client, MANY, dimensions=64)
    assert_same(cut, server.embed(MANY, dimensions=64))
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1, atol=1e-6)
    assert_same(embed(client, MANY, dimensions=384), server.embed(MANY))


def test_a_long_text_is_cut_and_both_usage_and_headers_say_so(client: OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(model=MODEL, input=[LONG, ONE], user="somebody")
    short = client.embeddings.create(model=MODEL, input=ONE).usage.prompt_tokens
    assert raw.parse().usage.prompt_tokens == raw.parse().usage.total_tokens == 256 + short
    assert raw.headers["x-truncated"] == "1"


def test_an_empty_text_is_an_error_of_its_own_kind_that_can_be_read(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        embed(client, [ONE, EMPTY])
    assert NO_CONTENT in caught.value.message
    assert "position 1" in caught.value.message
    assert caught.value.type
    assert caught.value.request_id


def test_token_ids_of_another_model_are_refused_with_the_cure(client: OpenAI) -> None:
    for ids in ([[9906, 1917]], [9906, 1917]):
        with pytest.raises(BadRequestError, match="check_embedding_ctx_length=False"):
            client.embeddings.create(model=MODEL, input=ids)


def test_this_models_own_token_ids_are_taken_where_the_setting_says_so(tmp_path: Path) -> None:
    with started(tmp_path, *SERVICE, "--data-dir", str(tmp_path / "data"), MCSE_ACCEPT_TOKEN_IDS="true") as url:
        server = Server(url)
        with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            ids = [server.tokens(text) for text in MANY]
            answer = client.embeddings.create(model=MODEL, input=ids)
            assert_same([item.embedding for item in answer.data], server.embed(MANY))
            with pytest.raises(BadRequestError, match="token ids"):
                client.embeddings.create(model=MODEL, input=[[100_000]])


def test_the_models_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]


def test_a_route_that_is_not_there_is_its_own_kind_of_error(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.completions.create(model=MODEL, prompt="a")
    assert "no such route" in caught.value.message


def test_a_full_server_is_tried_again(busy_server: BusyServer) -> None:
    with OpenAI(base_url=f"{busy_server.url}/v1", api_key="none") as client:
        with busy_server.full_once():
            found = embed(client, ONE)
        assert_same(found, busy_server.embed([ONE]))


def test_a_server_that_stays_full_is_a_rate_limit_error(busy_server: BusyServer) -> None:
    with (
        OpenAI(base_url=f"{busy_server.url}/v1", api_key="none", max_retries=0) as client,
        busy_server.full(),
        pytest.raises(RateLimitError) as caught,
    ):
        embed(client, ONE)
    assert "busy" in caught.value.message
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_the_asynchronous_client_does_the_same(server: Server) -> None:
    async def ask() -> list[list[float]]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            answers = await asyncio.gather(*(client.embeddings.create(model=MODEL, input=text) for text in MANY))
        return [answer.data[0].embedding for answer in answers]

    np.testing.assert_allclose(asyncio.run(ask()), server.embed(MANY), atol=1e-6)
