from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from service import __version__

Start = Callable[..., httpx.Client]


def native(client: httpx.Client, inputs: Any, **fields: Any) -> Any:
    return client.post("/embed", json={"inputs": inputs, **fields}).json()


def post(client: httpx.Client, body: Any, path: str = "/api/embed") -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_has_ollamas_shape(client: httpx.Client) -> None:
    sent = {"model": "anything", "input": ["a", "b c"], "options": {"num_ctx": 512}, "keep_alive": "5m"}
    answer = post(client, sent)
    assert answer.pop("total_duration") > 0
    assert answer == {
        "model": "stub",
        "embeddings": native(client, ["a", "b c"]),
        "load_duration": 0,
        "prompt_eval_count": 7,
    }
    assert post(client, {"model": "anything", "input": "a"})["embeddings"] == native(client, ["a"])


def test_dimensions_are_cut_and_then_normalised(client: httpx.Client) -> None:
    assert post(client, {"input": "a", "dimensions": 4})["embeddings"] == native(client, "a", dimensions=4)


@pytest.mark.parametrize("truncate", [{}, {"truncate": True}, {"truncate": None}], ids=str)
def test_a_long_text_is_cut_unless_that_is_refused(client: httpx.Client, truncate: Any) -> None:
    answer = client.post("/api/embed", json={"input": "w " * 20, **truncate})
    assert answer.json()["prompt_eval_count"] == 16
    assert answer.headers["x-truncated"] == "1"
    strict = client.post("/api/embed", json={"input": "w " * 20, "truncate": False})
    assert strict.status_code == 422
    assert "16" in strict.json()["error"]


def test_the_older_route_takes_one_prompt(client: httpx.Client) -> None:
    answer = post(client, {"model": "anything", "prompt": "a dog", "options": {}}, "/api/embeddings")
    assert answer == {"embedding": native(client, "a dog")[0]}


def test_the_default_prompt_stands_before_the_text(start: Start, checkpoint: Any) -> None:
    client = start(model=replace(checkpoint, prompts={"query": "q: "}, default_prompt_name="query"))
    expected = native(client, "a", prompt_name="query")
    assert post(client, {"input": "a"})["embeddings"] == expected
    assert post(client, {"prompt": "a"}, "/api/embeddings") == {"embedding": expected[0]}


@pytest.mark.parametrize(("name", "tagged"), [("stub", "stub:latest"), ("maker/model:v2", "maker/model:v2")])
def test_the_model_is_listed_with_a_tag(start: Start, checkpoint: Any, name: str, tagged: str) -> None:
    (model,) = start(model=replace(checkpoint, name=name)).get("/api/tags").json()["models"]
    assert model["name"] == model["model"] == tagged
    assert model["digest"] == "f" * 64
    assert model["details"]["family"] == "stub"
    assert model["details"]["quantization_level"] == "float32"
    assert datetime.fromisoformat(model["modified_at"]).tzinfo is not None


def test_the_version_is_ours(client: httpx.Client) -> None:
    assert client.get("/api/version").json() == {"version": __version__}
