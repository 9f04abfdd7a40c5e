import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

Start = Callable[..., httpx.Client]
TEXTS = ["a dog", "w " * 20, "snow"]


def post(client: httpx.Client, body: Any, path: str = "/v2/embed") -> Any:
    answer = client.post(path, json={"model": "anything", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, body: Any) -> str:
    answer = client.post("/v2/embed", json=body)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["message"])


def native(client: httpx.Client, inputs: Any, **fields: Any) -> Any:
    return client.post("/embed", json={"inputs": inputs, **fields}).json()


def test_an_answer_has_coheres_shape(client: httpx.Client) -> None:
    answer = post(client, {"texts": ["a dog", "snow"], "input_type": "search_document", "unknown": 1})
    assert len(answer.pop("id")) > 0
    assert answer == {
        "embeddings": {"float": native(client, ["a dog", "snow"])},
        "texts": ["a dog", "snow"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}},
        "response_type": "embeddings_by_type",
    }


def test_the_older_route_answers_with_a_matrix_unless_types_are_asked_for(client: httpx.Client) -> None:
    answer = post(client, {"texts": ["a dog"]}, "/v1/embed")
    assert answer["embeddings"] == native(client, ["a dog"])
    assert answer["response_type"] == "embeddings_floats"
    assert answer["meta"]["api_version"] == {"version": "1"}
    typed = post(client, {"texts": ["a dog"], "embedding_types": ["float"]}, "/v1/embed")
    assert typed["embeddings"] == {"float": native(client, ["a dog"])}
    assert typed["response_type"] == "embeddings_by_type"


def test_every_type_is_of_the_same_vectors(client: httpx.Client) -> None:
    kinds = ["base64", "float", "int8", "uint8", "binary", "ubinary", "float"]
    found = post(client, {"texts": TEXTS, "embedding_types": kinds})["embeddings"]
    assert set(found) == set(kinds)
    vectors = np.array(found["float"], np.float32)
    np.testing.assert_array_equal([np.frombuffer(base64.b64decode(row), "<f4") for row in found["base64"]], vectors)
    bits = np.packbits(vectors > 0, axis=1)
    np.testing.assert_array_equal(found["ubinary"], bits)
    np.testing.assert_array_equal(found["binary"], bits.astype(int) - 128)
    codes = np.array(found["uint8"])
    assert codes.shape == vectors.shape
    assert codes.min() >= 0
    assert codes.max() <= 255
    np.testing.assert_array_equal(found["int8"], codes - 128)
    assert np.corrcoef(codes.ravel(), vectors.ravel())[0, 1] > 0.95


def test_quantised_numbers_do_not_depend_on_what_else_is_sent(client: httpx.Client) -> None:
    def codes(texts: list[str]) -> Any:
        return post(client, {"texts": texts, "embedding_types": ["int8"], "output_dimension": 8})["embeddings"]["int8"]

    assert codes(TEXTS) == [codes([text])[0] for text in TEXTS]


def test_inputs_are_texts_in_parts(client: httpx.Client) -> None:
    inputs = [
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
    ]
    answer = post(client, {"inputs": inputs})
    assert answer["embeddings"]["float"] == native(client, ["a", "b c"])
    assert answer["texts"] == ["a", "b\nc"]


def test_a_text_is_cut_where_it_is_asked_and_the_answer_says_so(client: httpx.Client) -> None:
    text = " ".join(map(str, range(20)))
    for truncate, kept in (("END", range(14)), ("START", range(6, 20)), (None, range(14))):
        answer = post(client, {"texts": [text, "a"], "truncate": truncate})
        assert answer["embeddings"]["float"][0] == native(client, " ".join(map(str, kept)))[0]
        assert answer["meta"]["billed_units"] == {"input_tokens": 16 + 3}
        assert answer["meta"]["warnings"] == ["1 of 2 texts were longer than the model reads, and were cut."]
    assert "position 0" in refused(client, {"texts": [text, "a"], "truncate": "NONE"})


def test_dimensions_are_cut_and_then_normalised(client: httpx.Client) -> None:
    found = post(client, {"texts": ["a"], "output_dimension": 4})["embeddings"]["float"]
    assert found == native(client, ["a"], dimensions=4)


def test_the_kind_of_text_picks_the_prompt(start: Start, checkpoint: Any) -> None:
    prompts = {"query": "q: ", "passage": "p: ", "clustering": "c: ", "plain": "d: "}
    client = start(model=replace(checkpoint, prompts=prompts, default_prompt_name="plain"))
    for kind, prompt_name in (
        ("search_query", "query"),
        ("search_document", "passage"),
        ("clustering", "clustering"),
        ("classification", "plain"),
        (None, "plain"),
    ):
        found = post(client, {"texts": ["a"], "input_type": kind})["embeddings"]["float"]
        assert found == native(client, ["a"], prompt_name=prompt_name), kind


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "either `texts` or `inputs`"),
        ({"texts": "a"}, "`texts` must be a list, not a string"),
        ({"texts": ["a", 5]}, "`texts.1` must be a string, not an integer"),
        ({"texts": ["a"], "inputs": []}, "either `texts` or `inputs`"),
        ({"texts": ["a"], "embedding_types": ["float64"]}, "`embedding_types.0`"),
        ({"texts": ["a"], "input_type": "poem"}, "`input_type`"),
        ({"texts": ["a"], "truncate": "MIDDLE"}, "`truncate`"),
        ({"texts": ["a"], "output_dimension": 17}, "between 1 and 16"),
        ({"texts": ["a"], "max_tokens": 8}, "`max_tokens` is 8; this model reads up to 16"),
        ({"images": ["data:image/png;base64,AAAA"], "input_type": "image"}, "images cannot be embedded"),
        ({"inputs": [{"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}, "no encoder for others"),
        ({"inputs": ["a"]}, "content must be a string or a list of parts"),
        ({"inputs": "a"}, "`inputs`: must be a list of objects"),
    ],
)
def test_what_cannot_be_embedded_is_told(client: httpx.Client, body: Any, told: str) -> None:
    assert told in refused(client, body)


def test_a_limit_of_tokens_that_changes_nothing_passes(client: httpx.Client) -> None:
    assert post(client, {"texts": ["a"], "max_tokens": 128_000})["texts"] == ["a"]


def test_no_texts_are_a_400(client: httpx.Client) -> None:
    answer = client.post("/v2/embed", json={"texts": []})
    assert (answer.status_code, "at least one" in answer.json()["message"]) == (400, True)
