"""The `cohere` package, with its second version of the interface."""

import base64
from typing import Any

import numpy as np
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, BusyServer, Server
from tests.clients.texts import ALL, EMPTY, LONG, MANY, NO_CONTENT, ONE

cohere = client("cohere")


@pytest.fixture
def co(server: Server) -> Any:
    return cohere.ClientV2(api_key="none", base_url=server.url)


def embed(co: Any, texts: list[str], *types: str, **fields: Any) -> Any:
    given = {"model": MODEL, "input_type": "search_document", **fields}
    return co.embed(texts=texts, embedding_types=list(types or ["float"]), **given)


def test_one_text_and_many_have_the_vectors_of_the_native_route(co: Any, server: Server) -> None:
    assert_same(embed(co, [ONE]).embeddings.float_, server.embed([ONE]))
    answer = embed(co, ALL)
    assert_same(answer.embeddings.float_, server.embed(ALL))
    assert answer.texts == ALL


@pytest.mark.parametrize("kind", ["search_document", "search_query", "classification", "clustering"])
def test_every_kind_of_text_is_taken(co: Any, server: Server, kind: str) -> None:
    """The shipped checkpoint has no prompts, so that all give the same."""
    assert_same(embed(co, MANY, input_type=kind).embeddings.float_, server.embed(MANY))


def test_every_type_of_numbers_is_given(co: Any, server: Server) -> None:
    found = embed(co, MANY, "float", "int8", "uint8", "binary", "ubinary", "base64").embeddings
    expected = server.embed(MANY)
    assert_same(found.float_, expected)
    assert_same([np.frombuffer(base64.b64decode(row), dtype="<f4") for row in found.base64], expected)
    int8, uint8 = np.array(found.int8), np.array(found.uint8)
    assert int8.shape == uint8.shape == expected.shape
    assert int8.min() >= -128
    assert int8.max() <= 127
    assert len(np.unique(int8)) > 100
    np.testing.assert_array_equal(int8 + 128, uint8)
    by_value = np.argsort(expected, axis=0)
    assert (np.diff(np.take_along_axis(int8, by_value, axis=0), axis=0) >= 0).all(), "ranges belong to a dimension"
    ubinary = np.packbits(expected > 0, axis=1)
    np.testing.assert_array_equal(found.ubinary, ubinary)
    np.testing.assert_array_equal(found.binary, ubinary.astype(int) - 128)


def test_dimensions_are_cut_and_then_normalised(co: Any, server: Server) -> None:
    assert_same(embed(co, MANY, output_dimension=64).embeddings.float_, server.embed(MANY, dimensions=64))


def test_a_long_text_is_cut_where_it_says_and_the_tokens_are_counted(co: Any, server: Server) -> None:
    text = f"{LONG} The committee raised interest rates."
    end = embed(co, [text], truncate="END")
    assert_same(end.embeddings.float_, server.embed([text]))
    assert end.meta.billed_units.input_tokens == 256
    start = embed(co, [text], truncate="START")
    assert_same(start.embeddings.float_, server.embed([text], truncation_direction="left"))
    with pytest.raises(cohere.UnprocessableEntityError) as caught:
        embed(co, [text], truncate="NONE")
    assert "256" in caught.value.body["message"]


def test_an_empty_text_is_an_error_of_its_own_kind_that_can_be_read(co: Any) -> None:
    with pytest.raises(cohere.UnprocessableEntityError) as caught:
        embed(co, [ONE, EMPTY])
    assert NO_CONTENT in caught.value.body["message"]
    assert NO_CONTENT in str(caught.value)


def test_a_full_server_is_tried_again(busy_server: BusyServer) -> None:
    co = cohere.ClientV2(api_key="none", base_url=busy_server.url)
    with busy_server.full_once():
        found = embed(co, [ONE]).embeddings.float_
    assert_same(found, busy_server.embed([ONE]))


def test_a_server_that_stays_full_is_an_error_of_its_own_kind(busy_server: BusyServer) -> None:
    co = cohere.ClientV2(api_key="none", base_url=busy_server.url)
    with busy_server.full(), pytest.raises(cohere.TooManyRequestsError) as caught:
        embed(co, [ONE], request_options={"max_retries": 0})
    assert "busy" in caught.value.body["message"]


def test_its_first_version_does_the_same(server: Server) -> None:
    co = cohere.Client(api_key="none", base_url=server.url)
    given = {"model": MODEL, "input_type": "search_query"}
    assert_same(co.embed(texts=MANY, **given).embeddings, server.embed(MANY))
    by_type = co.embed(texts=MANY, embedding_types=["float"], **given).embeddings
    assert_same(by_type.float_, server.embed(MANY))
