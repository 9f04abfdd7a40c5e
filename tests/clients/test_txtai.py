"""`txtai`, whose external vectors are a function of texts."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.clients.installed import client
from tests.clients.servers import BusyServer, Server
from tests.clients.texts import EMPTY, FOREIGN, LONG, MANY, NO_CONTENT, ONE

txtai = client("txtai")
TEXTS = [*MANY, *FOREIGN, LONG]


def embeddings(server: Server) -> Any:
    def transform(texts: list[str]) -> Any:
        answer = httpx.post(f"{server.url}/embed", json={"inputs": list(texts)})
        if answer.is_error:
            raise RuntimeError(answer.json()["error"])
        return answer.json()

    return txtai.Embeddings(method="external", transform=transform)


def test_one_text_and_many_have_the_vectors_of_the_native_route(server: Server) -> None:
    """But for the last bit: it normalises them once more."""
    np.testing.assert_allclose([embeddings(server).transform(ONE)], server.embed([ONE]), atol=1e-7)
    np.testing.assert_allclose(embeddings(server).batchtransform(TEXTS), server.embed(TEXTS), atol=1e-7)


def test_its_index_finds_what_the_vectors_say(server: Server) -> None:
    made = embeddings(server)
    made.index(TEXTS)
    query = "a puppy by the sea"
    scores = server.embed(TEXTS) @ server.embed([query])[0]
    ((found, score),) = made.search(query, 1)
    assert found == int(np.argmax(scores))
    assert score == pytest.approx(scores.max(), abs=1e-4)


def test_an_error_comes_through_its_function(server: Server, busy_server: BusyServer) -> None:
    with pytest.raises(RuntimeError, match=NO_CONTENT):
        embeddings(server).transform(EMPTY)
    with busy_server.full(), pytest.raises(RuntimeError, match="busy"):
        embeddings(busy_server).transform(ONE)
