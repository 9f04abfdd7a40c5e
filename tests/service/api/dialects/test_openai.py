import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

Start = Callable[..., httpx.Client]


def post(client: httpx.Client, body: Any, path: str = "/v1/embeddings") -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, body: Any) -> str:
    answer = client.post("/v1/embeddings", json=body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


def native(client: httpx.Client, inputs: Any, **fields: Any) -> Any:
    return client.post("/embed", json={"inputs": inputs, **fields}).json()


def vectors(answer: Any) -> list[Any]:
    return [item["embedding"] for item in answer["data"]]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_an_answer_has_openais_shape(client: httpx.Client, path: str) -> None:
    answer = post(client, {"input": "a dog", "model": "anything", "user": "somebody", "unknown": [1]}, path)
    (vector,) = native(client, "a dog")
    assert answer == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "model": "stub",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


def test_rows_come_in_the_order_of_the_texts(client: httpx.Client) -> None:
    texts = ["a", "b c d e", "f g"]
    answer = post(client, {"input": texts})
    assert vectors(answer) == native(client, texts)
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert answer["usage"]["prompt_tokens"] == 3 + 6 + 4


def test_base64_is_of_little_endian_float32(client: httpx.Client) -> None:
    floats = post(client, {"input": ["a", "b"], "encoding_format": "float"})
    packed = post(client, {"input": ["a", "b"], "encoding_format": "base64"})
    unpacked = [np.frombuffer(base64.b64decode(vector), "<f4") for vector in vectors(packed)]
    np.testing.assert_array_equal(unpacked, np.array(vectors(floats), np.float32))
    assert packed["usage"] == floats["usage"]


def test_fields_may_be_null_as_some_clients_send_them(client: httpx.Client) -> None:
    nothing = dict.fromkeys(("model", "encoding_format", "dimensions", "user", "messages"))
    assert vectors(post(client, {"input": "a", **nothing})) == native(client, "a")


def test_dimensions_are_cut_and_the_native_width_passes(client: httpx.Client) -> None:
    assert vectors(post(client, {"input": "a", "dimensions": 4})) == native(client, "a", dimensions=4)
    assert vectors(post(client, {"input": "a", "dimensions": 16})) == native(client, "a")
    assert "between 1 and 16" in refused(client, {"input": "a", "dimensions": 17})


def test_what_was_cut_is_told_by_item_and_not_counted(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", json={"input": ["a", "w " * 20]})
    whole, cut = answer.json()["data"]
    assert "truncated" not in whole
    assert (cut["truncated"], cut["dropped_tokens"]) == (True, 6)
    assert answer.json()["usage"] == {"prompt_tokens": 3 + 16, "total_tokens": 3 + 16}
    assert answer.headers["x-truncated"] == "1"


@pytest.mark.parametrize("ids", [[5, 6], [[5, 6], [7]], ["a", [5]]], ids=["one list", "lists", "among texts"])
def test_token_ids_are_refused_with_the_cure(client: httpx.Client, ids: Any) -> None:
    assert "check_embedding_ctx_length=False" in refused(client, {"input": ids})


def test_token_ids_of_this_model_are_taken_where_the_setting_says_so(start: Start, encoder: Any) -> None:
    client = start(accept_token_ids=True)
    alone = post(client, {"input": [5, 6]})
    assert encoder.batches[-1] == [[101, 5, 6, 102]]
    assert vectors(post(client, {"input": [[5, 6], [7]]}))[0] == vectors(alone)[0]
    assert alone["usage"]["prompt_tokens"] == 4
    assert "vocabulary" in refused(client, {"input": [[2_000_000]]})
    assert "vocabulary" in refused(client, {"input": [-1]})


def test_token_ids_get_no_default_prompt_but_texts_do(start: Start, checkpoint: Any, encoder: Any) -> None:
    model = replace(checkpoint, prompts={"query": "find: "}, default_prompt_name="query")
    client = start(model=model, accept_token_ids=True)
    assert vectors(post(client, {"input": "a"})) == native(client, "a")
    texts = encoder.batches[-1]
    post(client, {"input": [5]})
    assert [len(ids) for ids in texts] == [4]
    assert encoder.batches[-1] == [[101, 5, 102]]


@pytest.mark.parametrize(
    "messages",
    [
        [[{"role": "user", "content": [{"type": "text", "text": "a"}]}], [{"role": "user", "content": "b c"}]],
        [[{"content": "a"}], [{"content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}]],
    ],
)
def test_messages_as_vllm_takes_them_are_texts(client: httpx.Client, messages: Any) -> None:
    assert vectors(post(client, {"messages": messages})) == native(client, ["a", "b c"])
    assert vectors(post(client, {"messages": messages[0]})) == native(client, ["a"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "either `input` or `messages`"),
        ({"input": "a", "messages": [{"content": "a"}]}, "either `input` or `messages`"),
        ({"input": None}, "either `input` or `messages`"),
        ({"input": {}}, "`input`: must be a string or a list of strings, or lists of token ids"),
        ({"input": ["a", None]}, "`input.1` must be a string, not null"),
        ({"input": [True]}, "`input.0` must be a string, not true or false"),
        ({"input": [1, "a"]}, "`input.0` must be a string, not an integer"),
        ({"input": [[1, True]]}, "`input.0`: must hold integers"),
        ({"input": ["a", [1, 2.0]]}, "`input.1`: must hold integers"),
        ({"input": "a", "model": ""}, "`model`"),
        ({"input": "a", "encoding_format": "hex"}, "`encoding_format`"),
        ({"messages": []}, "`messages`: must be a list of messages"),
        ({"messages": [[]]}, "each conversation must be one message"),
        ({"messages": [{"content": "a"}, {"content": "b"}]}, "each conversation must be one message"),
        ({"messages": [{"content": None}]}, "content must be a string or a list of parts"),
        ({"messages": [{"content": ["a"]}]}, "a part must be an object"),
        ({"messages": [{"content": [{"type": "text"}]}]}, "must have a string `text`"),
        ({"messages": [{"content": [{"type": "image_url", "image_url": {}}]}]}, "no encoder for others"),
    ],
)
def test_what_cannot_be_embedded_is_told(client: httpx.Client, body: Any, told: str) -> None:
    assert told in refused(client, body)


def test_no_texts_are_a_400(client: httpx.Client) -> None:
    assert "at least one" in refused(client, {"input": []})


def test_too_many_texts_are_refused(start: Start) -> None:
    client = start(max_items=2)
    post(client, {"input": ["a", "b"]})
    assert "limit is 2" in refused(client, {"input": ["a", "b", "c"]})


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_the_served_model_is_listed_and_found_by_its_name(client: httpx.Client, path: str) -> None:
    listed = client.get(path).json()
    assert listed["object"] == "list"
    (model,) = listed["data"]
    assert (model["id"], model["object"], model["owned_by"], model["max_model_len"]) == ("stub", "model", "mcse", 16)
    assert isinstance(model["created"], int)
    assert client.get(f"{path}/stub").json() == model
    unknown = client.get(f"{path}/canary-7f3a")
    assert unknown.status_code == 404
    assert "stub" in unknown.json()["error"]["message"]
    assert "canary" not in unknown.text


def test_a_model_with_a_slash_in_its_name_is_found(start: Start, checkpoint: Any) -> None:
    client = start(model=replace(checkpoint, name="maker/model"))
    assert client.get("/v1/models/maker/model").json()["id"] == "maker/model"
