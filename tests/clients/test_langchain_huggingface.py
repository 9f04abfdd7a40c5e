"""LangChain's `HuggingFaceEndpointEmbeddings`, which is given the client that it is to use."""

import asyncio
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT, ONE

langchain_huggingface = client("langchain_huggingface")
pytestmark = pytest.mark.usefixtures("may_call")


def embeddings(server: Server, **fields: Any) -> Any:
    made = langchain_huggingface.HuggingFaceEndpointEmbeddings(model=MODEL, **fields)
    made.client, made.async_client = InferenceClient(server.url), AsyncInferenceClient(server.url)
    return made


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same([embeddings(server).embed_query(ONE)], server.embed([ONE]))
    assert_same(embeddings(server).embed_documents(ALL), server.embed(ALL))


def test_what_it_passes_on_is_taken(server: Server) -> None:
    raw = embeddings(server, model_kwargs={"normalize": False, "truncate": True})
    assert_same(raw.embed_documents(MANY), server.embed(MANY, normalize=False))


def test_an_empty_text_is_an_error_of_the_hubs_kind_that_can_be_read(server: Server) -> None:
    with pytest.raises(HfHubHTTPError, match=NO_CONTENT):
        embeddings(server).embed_documents([ONE, EMPTY])


def test_a_full_server_is_an_error_of_the_hubs_kind(busy_server: BusyServer) -> None:
    with busy_server.full(), pytest.raises(HfHubHTTPError, match="429"):
        embeddings(busy_server).embed_query(ONE)


def test_the_asynchronous_way_does_the_same(server: Server) -> None:
    assert_same(asyncio.run(embeddings(server).aembed_documents(MANY)), server.embed(MANY))
