from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]


def native(client: httpx.Client, inputs: Any, **fields: Any) -> Any:
    return client.post("/embed", json={"inputs": inputs, **fields}).json()


def post(client: httpx.Client, body: Any, path: str = "/vectors") -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/vectors", "/vectors/"])
def test_one_text_as_weaviate_sends_it(client: httpx.Client, path: str) -> None:
    config = {"pooling_strategy": "masked_mean", "task_type": "passage"}
    sent = {"text": "a dog", "dims": 0, "vector": None, "error": "", "config": config}
    (vector,) = native(client, "a dog")
    assert post(client, sent, path) == {"text": "a dog", "vector": vector, "dims": 16, "dim": 16, "error": ""}


def test_several_texts(client: httpx.Client) -> None:
    answer = post(client, {"texts": ["a", "b c"], "config": {"task_type": "passage", "dimensions": 4}})
    assert answer == {"vectors": native(client, ["a", "b c"], dimensions=4), "dims": 4, "error": ""}


def test_the_task_picks_the_prompt(start: Start, checkpoint: Any) -> None:
    prompts = {"query": "q: ", "passage": "p: ", "plain": "d: "}
    client = start(model=replace(checkpoint, prompts=prompts, default_prompt_name="plain"))
    for config, prompt_name in (
        ({"task_type": "query"}, "query"),
        ({"task_type": "passage"}, "passage"),
        ({}, "plain"),
        (None, "plain"),
    ):
        vector = post(client, {"text": "a", "config": config})["vector"]
        assert [vector] == native(client, "a", prompt_name=prompt_name), config


def test_a_body_without_a_media_type_is_taken_but_not_from_the_page_of_another_site(client: httpx.Client) -> None:
    body = b'{"text": "a"}'
    assert client.post("/vectors", content=body).status_code == 200
    for site, status in (("same-origin", 200), ("none", 200), ("cross-site", 415), ("same-site", 415)):
        assert client.post("/vectors", content=body, headers={"sec-fetch-site": site}).status_code == status
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = client.post("/vectors", content=body, headers={"content-type": media_type})
        assert answer.status_code == 415
        assert "JSON" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "either `text` or `texts`"),
        ({"text": "a", "texts": ["b"]}, "either `text` or `texts`"),
        ({"text": 5}, "`text` must be a string"),
        ({"text": ""}, "position 0"),
        ({"texts": "a"}, "`texts` must be a list"),
        ({"text": "a", "config": {"task_type": "poem"}}, "`config.task_type`"),
        ({"text": "a", "config": {"dimensions": 17}}, "between 1 and 16"),
    ],
)
def test_what_cannot_be_embedded_is_told_where_weaviate_looks(client: httpx.Client, body: Any, told: str) -> None:
    answer = client.post("/vectors", json=body)
    assert answer.status_code == 422
    assert told in answer.json()["error"]


def test_the_probes_are_empty_while_all_is_well(client: httpx.Client) -> None:
    for path in ("/.well-known/ready", "/.well-known/live"):
        answer = client.get(path)
        assert (answer.status_code, answer.content) == (204, b"")


def test_ready_is_honest_and_live_asks_for_less(start: Start) -> None:
    client = start()
    client.app.state.services.health.draining = True  # type: ignore[attr-defined]
    answer = client.get("/.well-known/ready")
    assert answer.status_code == 503
    assert answer.json() == {"error": "Failing: draining."}
    assert client.get("/.well-known/live").status_code == 204


def test_the_model_describes_itself(client: httpx.Client) -> None:
    answer = client.get("/meta").json()
    assert answer["model"] == {
        "name": "stub",
        "kind": "stub",
        "fingerprint": "f" * 64,
        "pooling": "cls",
        "max_tokens": 16,
        "dimensions": 16,
    }
