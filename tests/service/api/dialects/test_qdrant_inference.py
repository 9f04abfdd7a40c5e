from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]


def native(client: httpx.Client, inputs: Any, **fields: Any) -> Any:
    return client.post("/embed", json={"inputs": inputs, **fields}).json()


def item(data: Any, data_type: str = "text") -> dict[str, Any]:
    """As Qdrant sends it."""
    return {"data": data, "data_type": data_type, "model": "anything", "options": None}


def post(client: httpx.Client, body: Any) -> Any:
    answer = client.post("/qdrant/inference", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_has_the_shape_that_qdrant_reads(client: httpx.Client) -> None:
    answer = post(client, {"inputs": [item("a"), item("b c")], "inference": "update", "token": None})
    assert answer == {
        "embeddings": native(client, ["a", "b c"]),
        "usage": {"models": {"stub": {"tokens": 7}}},
    }


def test_a_long_text_is_cut_and_the_headers_say_so(client: httpx.Client) -> None:
    answer = client.post("/qdrant/inference", json={"inputs": [item("w " * 20)], "inference": "search"})
    assert answer.headers["x-truncated"] == "1"
    assert answer.json()["usage"] == {"models": {"stub": {"tokens": 16}}}


def test_updates_are_documents_and_searches_queries(start: Start, checkpoint: Any) -> None:
    prompts = {"query": "q: ", "document": "p: ", "plain": "d: "}
    client = start(model=replace(checkpoint, prompts=prompts, default_prompt_name="plain"))
    for inference, prompt_name in (("search", "query"), ("update", "document"), (None, "plain")):
        found = post(client, {"inputs": [item("a")], "inference": inference})["embeddings"]
        assert found == native(client, "a", prompt_name=prompt_name), inference


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "`inputs` is required"),
        ({"inputs": []}, "at least one"),
        ({"inputs": [item("a"), item("data:image/png;base64,AAAA", "image")]}, "position 1 is not a text"),
        ({"inputs": [item({"a": 1}, "object")]}, "position 0 is not a text"),
        ({"inputs": [item({"a": 1})]}, "`data` of the input at position 0 must be a string"),
        ({"inputs": [{"data_type": "text"}]}, "`inputs.0.data` is required"),
        ({"inputs": [item("")]}, "position 0"),
        ({"inputs": [item("a")], "inference": "poem"}, "`inference`"),
    ],
)
def test_what_cannot_be_embedded_is_a_400_because_qdrant_passes_on_no_other(
    client: httpx.Client, body: Any, told: str
) -> None:
    answer = client.post("/qdrant/inference", json=body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
