"""The `huggingface_hub` package: both of its tasks post to the same address."""

import asyncio

import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.clients.installed import assert_same
from tests.clients.servers import BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE

pytestmark = pytest.mark.usefixtures("may_call")


@pytest.fixture
def client(server: Server) -> InferenceClient:
    return InferenceClient(server.url)


def test_one_text_and_many_have_the_vectors_of_the_native_route(client: InferenceClient, server: Server) -> None:
    assert_same(client.feature_extraction(ONE), server.embed([ONE]))
    assert_same(client.feature_extraction(ALL), server.embed(ALL))


def test_the_address_may_name_the_route(server: Server) -> None:
    assert_same(InferenceClient(f"{server.url}/embed").feature_extraction(MANY), server.embed(MANY))
    assert_same(InferenceClient(base_url=server.url).feature_extraction(MANY), server.embed(MANY))


def test_sentence_similarity_goes_to_the_same_address(client: InferenceClient, server: Server) -> None:
    expected = server.post("/similarity", {"inputs": {"source_sentence": ONE, "sentences": MANY}}).json()
    assert client.sentence_similarity(ONE, MANY) == expected
    assert expected[0] == pytest.approx(1)


def test_what_it_can_ask_for_is_given(client: InferenceClient, server: Server) -> None:
    raw = client.feature_extraction(MANY, normalize=False)
    assert_same(raw, server.embed(MANY, normalize=False))
    assert not np.allclose(np.linalg.norm(raw, axis=1), 1)
    assert_same(client.feature_extraction(MANY, dimensions=32), server.embed(MANY, dimensions=32))
    for encoding in ("float", "base64"):  # it makes an array of numbers of what comes, so numbers are what comes
        assert_same(client.feature_extraction(MANY, encoding_format=encoding), server.embed(MANY))
    assert_same(client.feature_extraction(MANY, prompt_name="query"), server.embed(MANY, prompt_name="query"))


def test_the_side_that_is_cut_can_be_chosen(client: InferenceClient) -> None:
    text = f"{LONG} The committee raised interest rates."
    end, start = (
        client.feature_extraction(text, truncate=True, truncation_direction=side) for side in ("left", "right")
    )
    assert_same(start, client.feature_extraction(LONG))
    assert not np.allclose(end, start, atol=1e-3)


def test_a_long_text_is_refused_where_it_must_not_be_cut(client: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        client.feature_extraction(LONG, truncate=False)
    assert caught.value.response.status_code == 422
    assert "256" in str(caught.value)


def test_an_empty_text_is_an_error_of_its_own_kind_that_can_be_read(client: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        client.feature_extraction([ONE, EMPTY])
    assert caught.value.response.status_code == 422
    assert NO_CONTENT in str(caught.value)


def test_an_unknown_prompt_is_refused_with_those_there_are(client: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match="query") as caught:
        client.feature_extraction(ONE, prompt_name="no-such-prompt")
    assert "no-such-prompt" not in str(caught.value)


def test_a_full_server_is_an_error_with_the_time_to_come_back(busy_server: BusyServer) -> None:
    with busy_server.full(), pytest.raises(HfHubHTTPError) as caught:
        InferenceClient(busy_server.url).feature_extraction(ONE)
    assert caught.value.response.status_code == 429
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_the_asynchronous_client_does_the_same(server: Server) -> None:
    async def ask() -> object:
        async with AsyncInferenceClient(server.url) as client:
            return await client.feature_extraction(MANY)

    assert_same(asyncio.run(ask()), server.embed(MANY))
