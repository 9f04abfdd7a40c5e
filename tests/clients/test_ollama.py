"""The `ollama` package."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ollama import AsyncClient, Client, ResponseError

from tests.clients.installed import assert_same
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(host=server.url) as client:
        yield client


def test_one_text_and_many_have_the_vectors_of_the_native_route(client: Client, server: Server) -> None:
    assert_same(client.embed(MODEL, ONE).embeddings, server.embed([ONE]))
    assert_same(client.embed(MODEL, ALL, options={"num_ctx": 512}, keep_alive="5m").embeddings, server.embed(ALL))


def test_dimensions_are_cut_and_then_normalised(client: Client, server: Server) -> None:
    assert_same(client.embed(MODEL, MANY, dimensions=64).embeddings, server.embed(MANY, dimensions=64))


def test_the_tokens_are_counted_after_a_long_text_is_cut(client: Client) -> None:
    assert client.embed(MODEL, LONG).prompt_eval_count == 256
    with pytest.raises(ResponseError, match="256"):
        client.embed(MODEL, LONG, truncate=False)


def test_an_empty_text_is_an_error_of_its_own_kind_that_can_be_read(client: Client) -> None:
    with pytest.raises(ResponseError) as caught:
        client.embed(MODEL, [ONE, EMPTY])
    assert caught.value.status_code == 422
    assert NO_CONTENT in caught.value.error


def test_the_model_is_listed(client: Client) -> None:
    (model,) = client.list().models
    assert model.model is not None
    assert model.model.startswith(MODEL)
    assert client.embed(model.model, ONE).embeddings == client.embed(MODEL, ONE).embeddings


def test_a_full_server_is_an_error_with_its_status(busy_server: BusyServer) -> None:
    with Client(host=busy_server.url) as client, busy_server.full(), pytest.raises(ResponseError) as caught:
        client.embed("stub", ONE)
    assert caught.value.status_code == 429
    assert "busy" in caught.value.error


def test_the_asynchronous_client_does_the_same(server: Server) -> None:
    async def ask() -> Any:
        async with AsyncClient(host=server.url) as client:
            return (await client.embed(MODEL, MANY)).embeddings

    assert_same(asyncio.run(ask()), server.embed(MANY))
