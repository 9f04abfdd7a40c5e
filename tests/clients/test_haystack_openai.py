"""Haystack's `OpenAITextEmbedder` and `OpenAIDocumentEmbedder`."""

from typing import Any

import openai
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE

haystack = client("haystack")
embedders = client("haystack.components.embedders")
utils = client("haystack.utils")


def where(server: Server) -> dict[str, Any]:
    return {"api_base_url": f"{server.url}/v1", "model": MODEL, "api_key": utils.Secret.from_token("none")}


def of_documents(server: Server, texts: list[str], **fields: Any) -> list[list[float]]:
    embedder = embedders.OpenAIDocumentEmbedder(**where(server), progress_bar=False, **fields)
    answer = embedder.run([haystack.Document(content=text) for text in texts])
    return [document.embedding for document in answer["documents"]]


def test_one_text_has_the_vector_of_the_native_route(server: Server) -> None:
    answer = embedders.OpenAITextEmbedder(**where(server)).run(ONE)
    assert_same([answer["embedding"]], server.embed([ONE]))


def test_documents_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same(of_documents(server, ALL), server.embed(ALL))
    assert_same(of_documents(server, MANY, dimensions=64), server.embed(MANY, dimensions=64))


def test_the_tokens_are_counted_after_a_long_text_is_cut(server: Server) -> None:
    answer = embedders.OpenAITextEmbedder(**where(server)).run(LONG)
    assert answer["meta"]["usage"]["prompt_tokens"] == 256


def test_an_empty_text_is_an_error_of_openais_kind_that_can_be_read(server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match=NO_CONTENT):
        embedders.OpenAITextEmbedder(**where(server)).run(EMPTY)


def test_a_full_server_is_tried_again(busy_server: BusyServer) -> None:
    with busy_server.full_once():
        answer = embedders.OpenAITextEmbedder(**where(busy_server)).run(ONE)
    assert_same([answer["embedding"]], busy_server.embed([ONE]))
