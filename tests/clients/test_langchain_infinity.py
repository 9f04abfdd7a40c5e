"""LangChain's `InfinityEmbeddings`, which posts to `/embeddings` without asking for a format."""

import asyncio
from typing import Any

import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT, ONE

community = client("langchain_community.embeddings")


def embeddings(server: Server) -> Any:
    return community.InfinityEmbeddings(model=MODEL, infinity_api_url=server.url)


def longest_first(texts: list[str]) -> list[str]:
    """As it sends them."""
    return sorted(texts, key=len, reverse=True)


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same([embeddings(server).embed_query(ONE)], server.embed([ONE]))
    texts = longest_first(ALL)
    assert_same(embeddings(server).embed_documents(texts), server.embed(texts))


def test_an_empty_text_is_an_error_that_can_be_read(server: Server) -> None:
    with pytest.raises(Exception, match=f"status 400: .*{NO_CONTENT}"):
        embeddings(server).embed_documents([ONE, EMPTY])


def test_an_error_of_the_asynchronous_way_holds_no_more_than_the_status(server: Server) -> None:
    with pytest.raises(Exception, match="status 400") as caught:
        asyncio.run(embeddings(server).aembed_documents([ONE, EMPTY]))
    assert NO_CONTENT not in str(caught.value)


def test_a_full_server_is_an_error_that_can_be_read(busy_server: BusyServer) -> None:
    with busy_server.full(), pytest.raises(Exception, match=r"status 429: .*busy"):
        embeddings(busy_server).embed_query(ONE)


def test_the_asynchronous_way_does_the_same(server: Server) -> None:
    texts = longest_first(MANY)
    assert_same(asyncio.run(embeddings(server).aembed_documents(texts)), server.embed(texts))
