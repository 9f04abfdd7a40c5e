"""Vespa's embedders: the requests that they send, written down."""

import base64

import numpy as np
import pytest

from tests.clients.installed import assert_same
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT, ONE

DEFAULTS = {"normalize": True, "truncate": True, "truncation_direction": "right"}


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_its_tei_embedder_gets_the_vectors_of_the_native_route(server: Server, path: str) -> None:
    assert_same(server.post(path, {"inputs": ONE, **DEFAULTS}).json(), server.embed([ONE]))
    assert_same(server.post(path, {"inputs": ALL, **DEFAULTS}).json(), server.embed(ALL))
    every = {**DEFAULTS, "normalize": False, "truncation_direction": "left", "prompt_name": "query", "dimensions": 64}
    assert_same(server.post(path, {"inputs": ALL, **every}).json(), server.embed(ALL, **every))


def test_its_tei_embedder_finds_the_error_and_the_overload(server: Server, busy_server: BusyServer) -> None:
    answer = server.post("/embed", {"inputs": EMPTY, **DEFAULTS})
    assert answer.status_code == 422
    assert NO_CONTENT in answer.json()["error"]
    with busy_server.full():
        assert busy_server.post("/embed", {"inputs": ONE, **DEFAULTS}).status_code == 429


def test_its_openai_embedder_always_asks_for_base64_and_for_all_dimensions(server: Server) -> None:
    body = {"model": MODEL, "input": MANY, "encoding_format": "base64", "dimensions": 384}
    data = server.post("/v1/embeddings", body).json()["data"]
    found = [np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4") for item in data]
    assert_same(found, server.embed(MANY))
