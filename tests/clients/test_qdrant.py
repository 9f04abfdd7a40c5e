"""Qdrant's inference: what a Qdrant server sends for the `Document`s of `qdrant_client`, written down."""

from typing import Any

import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, NO_CONTENT, ONE

models = client("qdrant_client.models")


def request(texts: list[str], inference: str = "update", **fields: Any) -> dict[str, Any]:
    """The body that the server makes of the documents that its client gave it."""
    documents = [models.Document(text=text, model=MODEL, **fields) for text in texts]
    inputs = [
        {"data": each.text, "data_type": "text", "model": each.model, "options": each.options} for each in documents
    ]
    return {"inputs": inputs, "inference": inference, "token": None}


@pytest.mark.parametrize("inference", ["update", "search"])
def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server, inference: str) -> None:
    for texts in ([ONE], ALL):
        answer = server.post("/qdrant/inference", request(texts, inference)).json()
        assert_same(answer["embeddings"], server.embed(texts))


def test_options_that_are_not_ours_change_nothing(server: Server) -> None:
    answer = server.post("/qdrant/inference", request([ONE], options={"quality": "high"})).json()
    assert_same(answer["embeddings"], server.embed([ONE]))


def test_the_tokens_are_counted_after_a_long_text_is_cut(server: Server) -> None:
    answer = server.post("/qdrant/inference", request([LONG])).json()
    assert answer["usage"]["models"][MODEL]["tokens"] == 256


def test_an_empty_text_is_an_error_with_the_status_whose_message_qdrant_passes_on(server: Server) -> None:
    answer = server.post("/qdrant/inference", request([ONE, EMPTY]))
    assert answer.status_code == 400
    assert NO_CONTENT in answer.json()["error"]


def test_a_picture_is_refused_where_no_encoder_for_it_is_served(server: Server) -> None:
    (picture,) = request([ONE])["inputs"]
    answer = server.post("/qdrant/inference", {"inputs": [{**picture, "data_type": "image"}], "inference": "update"})
    assert answer.status_code == 400
    assert "no encoder" in answer.json()["error"]


def test_a_full_server_says_when_to_come_back(busy_server: BusyServer) -> None:
    with busy_server.full():
        answer = busy_server.post("/qdrant/inference", request([ONE]))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "busy" in answer.json()["error"]
