"""LlamaIndex's `TextEmbeddingsInference`."""

import asyncio
from typing import Any

import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, ONE

llama_index = client("llama_index.embeddings.text_embeddings_inference")


def embedding(server: Server, **fields: Any) -> Any:
    return llama_index.TextEmbeddingsInference(model_name=MODEL, base_url=server.url, **fields)


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same([embedding(server).get_query_embedding(ONE)], server.embed([ONE]))
    assert_same([embedding(server).get_text_embedding(ONE)], server.embed([ONE]))
    assert_same(embedding(server).get_text_embedding_batch(ALL), server.embed(ALL))


def test_a_token_is_no_hindrance(server: Server) -> None:
    assert_same([embedding(server, auth_token="secret").get_text_embedding(ONE)], server.embed([ONE]))


def test_it_does_not_look_at_the_status_so_that_an_error_for_one_text_is_no_more_than_a_missing_answer(
    server: Server, busy_server: BusyServer
) -> None:
    with pytest.raises(KeyError):
        embedding(server).get_text_embedding(EMPTY)
    with pytest.raises(KeyError):
        embedding(server, truncate_text=False).get_text_embedding(LONG)
    with busy_server.full(), pytest.raises(KeyError):
        embedding(busy_server).get_text_embedding(ONE)


def test_of_an_error_for_several_texts_it_shows_the_beginning(server: Server) -> None:
    with pytest.raises(ValueError, match=r"Input should be a valid list.*The text at"):
        embedding(server).get_text_embedding_batch([ONE, EMPTY])


def test_the_asynchronous_way_does_the_same(server: Server) -> None:
    assert_same(asyncio.run(embedding(server).aget_text_embedding_batch(MANY)), server.embed(MANY))
