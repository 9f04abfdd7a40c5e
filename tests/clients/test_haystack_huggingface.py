"""Haystack's `HuggingFaceAPITextEmbedder` and `HuggingFaceAPIDocumentEmbedder`; they ask for vectors of any length."""

from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError

from tests.clients.installed import assert_same, client
from tests.clients.servers import BusyServer, Server
from tests.clients.texts import ALL, EMPTY, NO_CONTENT, ONE

haystack = client("haystack")
embedders = client("haystack_integrations.components.embedders.huggingface_api")
pytestmark = pytest.mark.usefixtures("may_call")


def where(server: Server) -> dict[str, Any]:
    return {"api_type": "text_embeddings_inference", "api_params": {"url": server.url}, "token": None}


def of_documents(server: Server, texts: list[str], **fields: Any) -> list[list[float]]:
    embedder = embedders.HuggingFaceAPIDocumentEmbedder(**where(server), progress_bar=False, **fields)
    answer = embedder.run([haystack.Document(content=text) for text in texts])
    return [document.embedding for document in answer["documents"]]


def test_one_text_has_the_vector_of_the_native_route(server: Server) -> None:
    answer = embedders.HuggingFaceAPITextEmbedder(**where(server)).run(ONE)
    assert_same([answer["embedding"]], server.embed([ONE], normalize=False))
    unit = embedders.HuggingFaceAPITextEmbedder(**where(server), normalize=True).run(ONE)
    assert_same([unit["embedding"]], server.embed([ONE]))


def test_documents_have_the_vectors_of_the_native_route(server: Server) -> None:
    assert_same(of_documents(server, ALL), server.embed(ALL, normalize=False))
    assert_same(of_documents(server, ALL, normalize=True), server.embed(ALL))


def test_an_empty_text_is_an_error_of_the_hubs_kind_that_can_be_read(server: Server) -> None:
    with pytest.raises(HfHubHTTPError, match=NO_CONTENT):
        of_documents(server, [ONE, EMPTY])


def test_a_full_server_is_an_error_of_the_hubs_kind(busy_server: BusyServer) -> None:
    with busy_server.full(), pytest.raises(HfHubHTTPError, match="429"):
        embedders.HuggingFaceAPITextEmbedder(**where(busy_server)).run(ONE)
