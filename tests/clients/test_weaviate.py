"""Weaviate's modules: the requests that they send, written down."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.clients.installed import assert_same
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE

PASSAGE = {"pooling_strategy": "masked_mean", "task_type": "passage"}
QUERY = {"pooling_strategy": "masked_mean", "task_type": "query"}


def one(text: str, config: dict[str, Any] = PASSAGE) -> dict[str, Any]:
    """As text2vec-transformers sends it: its answer's fields stand in the request, too."""
    return {"text": text, "dims": 0, "vector": None, "error": "", "config": config}


def many(texts: list[str]) -> dict[str, Any]:
    return {"texts": texts, "dims": 0, "vectors": None, "error": "", "config": PASSAGE}


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    for config in (PASSAGE, QUERY):
        answer = server.post("/vectors", one(ONE, config)).json()
        assert (answer["text"], answer["dims"]) == (ONE, 384)
        assert not answer.get("error")
        assert_same([answer["vector"]], server.embed([ONE]))
    answer = server.post("/vectors", many(ALL)).json()
    assert answer["dims"] == 384
    assert not answer.get("error")
    assert_same(answer["vectors"], server.embed(ALL))


def test_dimensions_are_cut_and_then_normalised(server: Server) -> None:
    answer = server.post("/vectors", one(ONE, {**PASSAGE, "dimensions": 64})).json()
    assert answer["dims"] == 64
    assert_same([answer["vector"]], server.embed([ONE], dimensions=64))


def test_a_long_text_is_cut_and_the_headers_say_so(server: Server) -> None:
    assert server.post("/vectors", one(LONG)).headers["x-truncated"] == "1"


def test_an_empty_text_is_an_error_where_weaviate_looks_for_it(server: Server) -> None:
    answer = server.post("/vectors", one(EMPTY))
    assert answer.status_code == 422
    assert NO_CONTENT in answer.json()["error"]


def test_a_full_server_is_an_error_where_weaviate_looks_for_it(busy_server: BusyServer) -> None:
    with busy_server.full():
        answer = busy_server.post("/vectors", one(ONE))
    assert answer.status_code == 429
    assert "busy" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/.well-known/ready", "/.well-known/live"])
def test_it_is_ready_within_the_half_second_that_weaviate_waits(server: Server, path: str) -> None:
    assert httpx.get(f"{server.url}{path}", timeout=0.5).is_success


def test_the_model_describes_itself(server: Server) -> None:
    meta = httpx.get(f"{server.url}/meta").json()
    assert isinstance(meta, dict)
    assert MODEL in str(meta)


def test_text2vec_openai_gets_floats(server: Server) -> None:
    answer = server.post("/v1/embeddings", {"input": MANY, "model": MODEL})
    assert_same([item["embedding"] for item in answer.json()["data"]], server.embed(MANY))
    assert answer.headers["x-request-id"]


def test_text2vec_huggingface_may_send_options_that_are_not_ours(server: Server) -> None:
    options = {"wait_for_model": True, "use_gpu": False, "use_cache": True}
    answer = server.post("/", {"inputs": MANY, "options": options})
    assert_same(np.array(answer.json()), server.embed(MANY))
