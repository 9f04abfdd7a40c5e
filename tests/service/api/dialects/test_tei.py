"""Text Embeddings Inference's routes, on the stub and on a tiny real model."""

import dataclasses
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models import open_to_serve
from service.api.dialects import tei
from service.engine import engine
from tests.service.conftest import Start, word_id


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, path: str, body: Any, status: int) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "error_type"}
    return str(answer.json()["error"])


@pytest.fixture
def real(start: Start, tiny_bundle: Path) -> httpx.Client:
    """A server of a real model, 32 wide, which takes 20 tokens."""
    model, runtime = open_to_serve(str(tiny_bundle), precision="float32", threads=1)
    return start(model=dataclasses.replace(model, prompts={"query": "the "}), runtime=runtime, accept_token_ids=True)


# --- the root, by shape ---


@pytest.mark.parametrize("inputs", ["a dog", ["a dog", "a cat"]])
@pytest.mark.parametrize(
    "more", [{}, {"normalize": False}, {"dimensions": 4}, {"truncate": None, "truncation_direction": "Left"}]
)
def test_texts_at_the_root_are_embedded(client: httpx.Client, inputs: Any, more: dict[str, Any]) -> None:
    body = {"inputs": inputs, **more}
    assert post(client, "/", {**body, "options": {"wait_for_model": True}}) == post(client, "/embed", body)


def test_sentences_at_the_root_are_compared(client: httpx.Client) -> None:
    inputs = {"source_sentence": "a dog", "sentences": ["a dog", "w " * 20 + "end"]}
    scores = post(client, "/", {"inputs": {**inputs, "more": 1}, "parameters": {}})
    assert scores == post(client, "/similarity", {"inputs": inputs})
    left = {"truncation_direction": "left"}
    assert post(client, "/", {"inputs": inputs, "parameters": {**left, "more": 1}}) == post(
        client, "/similarity", {"inputs": inputs, "parameters": left}
    )
    assert scores != post(client, "/", {"inputs": inputs, "parameters": left})


def test_the_root_answers_in_other_forms_too(client: httpx.Client) -> None:
    answer = client.post("/", json={"inputs": "a dog"}, headers={"accept": "application/octet-stream"})
    assert np.frombuffer(answer.content, "<f4").shape == (16,)
    similar = {"inputs": {"source_sentence": "a", "sentences": ["b"]}}
    answer = client.post("/", json=similar, headers={"accept": "application/octet-stream"})
    assert answer.status_code == 406


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, "`inputs` is required"),
        ({"inputs": 5}, 422, "must be a string"),
        ({"inputs": {"source_sentence": "a"}}, 422, "sentences` is required"),
        ({"inputs": {"source_sentence": "a", "sentences": "b"}}, 422, "must be a list"),
        ({"inputs": {"source_sentence": "a", "sentences": []}}, 400, "at least one"),
        ({"inputs": []}, 400, "at least one"),
        ({"inputs": ""}, 422, "position 0"),
        ({"inputs": "w " * 20, "truncate": False}, 422, "takes 16"),
        ({"inputs": "a", "dimensions": 0}, 422, "between 1 and 16"),
        ({"inputs": "a", "prompt_name": "q"}, 422, "no prompt of that name"),
    ],
)
def test_what_the_root_cannot_answer_is_named(client: httpx.Client, body: Any, status: int, told: str) -> None:
    assert told in refused(client, "/", body, status)


# --- token states ---


def test_the_state_of_every_token_is_answered(real: httpx.Client, tiny_bundle: Path) -> None:
    from models import ReferenceRuntime, load

    checkpoint = load(tiny_bundle)
    texts = ["a dog", "the cat sits on the grass", "dog " * 30]
    states = post(real, "/embed_all", {"inputs": texts, "unknown": 1})
    ids = [each.ids for each in checkpoint.tokenizer.encode(texts)]
    for ours, theirs in zip(states, ReferenceRuntime(checkpoint).states(ids), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert real.post("/embed_all", json={"inputs": texts}).headers["x-truncated"] == "1"


def test_states_follow_the_prompt_and_the_end_that_is_cut(real: httpx.Client) -> None:
    assert post(real, "/embed_all", {"inputs": "dog", "prompt_name": "query"}) == post(
        real, "/embed_all", {"inputs": ["the dog"]}
    )
    words = ["dog", "cat"] * 10 + ["snow"] * 10
    left = post(real, "/embed_all", {"inputs": " ".join(words), "truncation_direction": "Left"})
    np.testing.assert_allclose(left, post(real, "/embed_all", {"inputs": " ".join(words[-18:])}), atol=1e-6)
    refused(real, "/embed_all", {"inputs": " ".join(words), "truncate": False}, 422)


def test_many_small_matrices_are_all_written(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tei, "NUMBERS_AT_ONCE", 100)
    texts = [f"w{i} " * (i % 4 + 1) for i in range(50)]
    assert [len(each) for each in post(client, "/embed_all", {"inputs": texts})] == [i % 4 + 3 for i in range(50)]


def test_too_many_states_are_refused(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STATE_NUMBERS", 16 * 10)
    assert "160 numbers" in refused(client, "/embed_all", {"inputs": ["a b c d", "e f g h"]}, 422)
    post(client, "/embed_all", {"inputs": ["a b c d"]})


# --- tokens ---


def test_tokens_have_their_place_in_the_text(client: httpx.Client) -> None:
    first = {"id": 101, "text": "[FIRST]", "special": True, "start": None, "stop": None}
    last = {"id": 102, "text": "[LAST]", "special": True, "start": None, "stop": None}
    dog = {"id": word_id("dog"), "text": "dog", "special": False, "start": 1, "stop": 4}
    assert post(client, "/tokenize", {"inputs": " dog"}) == [[first, dog, last]]
    assert post(client, "/tokenize", {"inputs": [" dog"], "add_special_tokens": False}) == [[dog]]


def test_tokens_come_in_the_order_of_the_texts_and_are_not_cut(client: httpx.Client) -> None:
    texts = [f"w{i} " * (i + 1) for i in range(40)]
    assert [len(each) for each in post(client, "/tokenize", {"inputs": texts})] == [i + 3 for i in range(40)]


def test_ids_become_text_again(real: httpx.Client) -> None:
    texts = ["a dog runs", "the cat"]
    ids = [[token["id"] for token in tokens] for tokens in post(real, "/tokenize", {"inputs": texts})]
    assert post(real, "/decode", {"ids": ids}) == texts
    assert post(real, "/decode", {"ids": ids[0]}) == texts[:1]
    assert post(real, "/decode", {"ids": ids[:1], "skip_special_tokens": False}) == ["[CLS] a dog runs [SEP]"]
    assert post(real, "/embed", {"inputs": ids}) == post(real, "/embed", {"inputs": texts})


def test_the_prompt_is_among_the_tokens(real: httpx.Client) -> None:
    asked = {"inputs": "dog", "add_special_tokens": False}
    prompted = post(real, "/tokenize", {**asked, "prompt_name": "query"})
    assert [token["text"] for token in prompted[0]] == ["the", "dog"]
    assert [token["text"] for token in post(real, "/tokenize", asked)[0]] == ["dog"]


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/tokenize", {"inputs": []}, 400, "at least one"),
        ("/tokenize", {"inputs": [1]}, 422, "must be a string"),
        ("/tokenize", {"inputs": "a", "add_special_tokens": None}, 422, "true or false"),
        ("/tokenize", {"inputs": "a" * 8193}, 422, "8193 characters"),
        ("/tokenize", {"inputs": ["a"] * 2049}, 422, "the limit is 2048"),
        ("/decode", {"ids": []}, 400, "at least one"),
        ("/decode", {"ids": [[]]}, 422, "none of them empty"),
        ("/decode", {"ids": "a"}, 422, "a list of token ids"),
        ("/decode", {"ids": [1.5]}, 422, "a list of token ids"),
        ("/decode", {"ids": [True]}, 422, "a list of token ids"),
        ("/decode", {"ids": [5] * 8193}, 422, "8193 token ids"),
        ("/decode", {"ids": [[5], [-1]]}, 422, "position 1"),
        ("/decode", {"ids": [2**62]}, 422, "position 0"),
    ],
)
def test_what_cannot_be_tokenized_or_decoded_is_named(
    real: httpx.Client, path: str, body: Any, status: int, told: str
) -> None:
    assert told in refused(real, path, body, status)


def test_more_tokens_than_one_answer_holds_are_refused(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tei, "MOST_TOKENS", 20)
    assert "more than 20 tokens" in refused(client, "/tokenize", {"inputs": ["a"] * 7}, 422)
    post(client, "/tokenize", {"inputs": ["a"] * 6})


# --- errors ---


@pytest.mark.parametrize("path", ["/rerank", "/predict", "/embed_sparse"])
def test_routes_of_other_models_name_what_there_is(client: httpx.Client, path: str) -> None:
    told = refused(client, path, {"query": "a", "texts": ["b"]}, 422)
    assert "embedding model" in told
    assert "`/similarity`" in told


@pytest.mark.parametrize("path", ["/", "/embed_all"])
def test_a_text_that_fails_is_a_failed_dependency(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json={"inputs": ["good", "poison"]})
    assert (answer.status_code, answer.json()["error_type"]) == (424, "Backend")


@pytest.mark.parametrize("path", ["/", "/embed_all"])
def test_overload_is_told_with_the_time_to_come_back(start: Start, path: str) -> None:
    client = start(max_items=4, max_points_per_request=4, max_pending=4)
    with client.app.state.services.engine.admission.admit(4):  # type: ignore[attr-defined]
        answer = client.post(path, json={"inputs": "one more"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_a_body_over_the_limit_is_refused(start: Start) -> None:
    client = start(max_body_bytes=1024)
    for path in ("/", "/embed_all", "/tokenize", "/decode"):
        assert client.post(path, json={"inputs": "a" * 2000}).status_code == 413
