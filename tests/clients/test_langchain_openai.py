"""LangChain's `OpenAIEmbeddings`."""

import asyncio
from typing import Any

import numpy as np
import openai
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT, ONE

langchain_openai = client("langchain_openai")


def embeddings(server: Server, **fields: Any) -> Any:
    given = {"model": MODEL, "base_url": f"{server.url}/v1", "api_key": "none", "check_embedding_ctx_length": False}
    return langchain_openai.OpenAIEmbeddings(**{**given, **fields})


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same([embeddings(server).embed_query(ONE)], server.embed([ONE]))
    assert_same(embeddings(server).embed_documents(ALL), server.embed(ALL))
    assert_same(embeddings(server, dimensions=64).embed_documents(MANY), server.embed(MANY, dimensions=64))


def test_with_its_defaults_it_sends_token_ids_and_is_told_the_cure(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiktoken = client("tiktoken")
    bytewise = tiktoken.Encoding(
        "bytewise", pat_str=".", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={}
    )
    for name in ("encoding_for_model", "get_encoding"):  # its own is downloaded
        monkeypatch.setattr(tiktoken, name, lambda _name: bytewise)
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        embeddings(server, check_embedding_ctx_length=True).embed_documents([ONE])


def test_a_thousand_texts_go_in_one_request(server: Server) -> None:
    texts = [f"{number} dogs run on the beach" for number in range(1000)]
    np.testing.assert_allclose(embeddings(server).embed_documents(texts)[-3:], server.embed(texts[-3:]), atol=1e-2)


def test_an_empty_text_is_an_error_of_openais_kind_that_can_be_read(server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match=NO_CONTENT):
        embeddings(server).embed_documents([ONE, EMPTY])


def test_a_full_server_is_tried_again(busy_server: BusyServer) -> None:
    with busy_server.full_once():
        found = embeddings(busy_server).embed_query(ONE)
    assert_same([found], busy_server.embed([ONE]))


def test_the_asynchronous_way_does_the_same(server: Server) -> None:
    assert_same(asyncio.run(embeddings(server).aembed_documents(MANY)), server.embed(MANY))
