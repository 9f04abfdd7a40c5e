"""LlamaIndex's `OpenAIEmbedding`; `model` must be one of OpenAI's names, `model_name` is what is sent."""

import asyncio
from typing import Any

import openai
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT, ONE

llama_index = client("llama_index.embeddings.openai")


def embedding(server: Server, **fields: Any) -> Any:
    return llama_index.OpenAIEmbedding(model_name=MODEL, api_base=f"{server.url}/v1", api_key="none", **fields)


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same([embedding(server).get_query_embedding(ONE)], server.embed([ONE]))
    assert_same([embedding(server).get_text_embedding(ONE)], server.embed([ONE]))
    assert_same(embedding(server).get_text_embedding_batch(ALL), server.embed(ALL))
    assert_same(embedding(server, dimensions=64).get_text_embedding_batch(MANY), server.embed(MANY, dimensions=64))


def test_an_empty_text_is_an_error_of_openais_kind_that_can_be_read(server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match=NO_CONTENT):
        embedding(server).get_text_embedding(EMPTY)


def test_a_full_server_is_tried_again(busy_server: BusyServer) -> None:
    with busy_server.full_once():
        found = embedding(busy_server).get_text_embedding(ONE)
    assert_same([found], busy_server.embed([ONE]))


def test_the_asynchronous_way_does_the_same(server: Server) -> None:
    assert_same(asyncio.run(embedding(server).aget_text_embedding_batch(MANY)), server.embed(MANY))
