import base64
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

Start = Callable[..., httpx.Client]


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, path: str, body: Any, status: int) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "error_type"}
    return str(answer.json()["error"])


def test_one_text_and_a_list_of_one_are_the_same_matrix(client: httpx.Client) -> None:
    one = post(client, "/embed", {"inputs": "a dog"})
    assert np.shape(one) == (1, 16)
    assert one == post(client, "/embed", {"inputs": ["a dog"]})
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, rtol=1e-6)


def test_rows_come_in_the_order_of_the_texts(client: httpx.Client) -> None:
    texts = ["a", "b c d e", "f g"]
    together = post(client, "/embed", {"inputs": texts})
    assert together == [post(client, "/embed", {"inputs": text})[0] for text in texts]


def test_normalize_false_gives_the_raw_vectors(client: httpx.Client) -> None:
    raw = np.array(post(client, "/embed", {"inputs": "a dog", "normalize": False}))
    unit = np.array(post(client, "/embed", {"inputs": "a dog"}))
    assert abs(np.linalg.norm(raw) - 1) > 0.1
    np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, rtol=1e-6)


def test_numbers_are_float32_in_their_shortest_form(client: httpx.Client) -> None:
    text = client.post("/embed", json={"inputs": "a dog"}).text
    for number in text.strip("[]").split(","):
        assert len(number) <= 16
        assert float(np.float32(number)) == pytest.approx(float(number), rel=1e-7)


def test_dimensions_cut_first_and_then_normalise(client: httpx.Client) -> None:
    cut = np.array(post(client, "/embed", {"inputs": "a dog", "dimensions": 4}))
    full = np.array(post(client, "/embed", {"inputs": "a dog"}))[:, :4]
    assert cut.shape == (1, 4)
    np.testing.assert_allclose(cut, full / np.linalg.norm(full), rtol=1e-5)
    assert post(client, "/embed", {"inputs": "a dog", "dimensions": 16}) == post(client, "/embed", {"inputs": "a dog"})


@pytest.mark.parametrize("dimensions", [0, -1, 17, 2**63])
def test_dimensions_out_of_range_are_refused(client: httpx.Client, dimensions: int) -> None:
    assert "between 1 and 16" in refused(client, "/embed", {"inputs": "a", "dimensions": dimensions}, 422)


def test_details_name_the_model_and_what_was_cut(client: httpx.Client) -> None:
    answer = post(client, "/embed", {"inputs": ["a", "w " * 20], "details": True, "space": "grounded"})
    assert np.shape(answer.pop("embeddings")) == (2, 8)
    assert answer == {
        "model": "stub",
        "space": "grounded",
        "dimensions": 8,
        "tokens": [3, 16],
        "dropped": [0, 6],
        "truncated": [False, True],
    }


def test_truncation_is_reported_or_refused(client: httpx.Client) -> None:
    long = {"inputs": ["a", "w " * 20]}
    assert client.post("/embed", json=long).headers["x-truncated"] == "1"
    told = refused(client, "/embed", {**long, "truncate": False}, 422)
    assert "position 1 has 22 tokens" in told
    assert "takes 16" in told


@pytest.mark.parametrize("left", ["left", "Left"])
def test_a_long_text_is_cut_at_the_end_that_is_asked_for(client: httpx.Client, left: str) -> None:
    words = [f"w{i}" for i in range(20)]
    long = {"inputs": " ".join(words)}
    start, end = (post(client, "/embed", {"inputs": " ".join(kept)}) for kept in (words[:14], words[6:]))
    assert start != end
    assert post(client, "/embed", {**long, "truncation_direction": left}) == end
    for right in ({}, {"truncation_direction": "right"}, {"truncation_direction": "Right"}, {"truncate": None}):
        assert post(client, "/embed", {**long, **right}) == start
    refused(client, "/embed", {**long, "truncation_direction": "LEFT"}, 422)
    refused(client, "/embed", {**long, "truncation_direction": left, "truncate": False}, 422)


@pytest.fixture
def prompted(start: Start, checkpoint: Any) -> httpx.Client:
    """A model whose default is the prompt of documents."""
    prompts = {"query": "find ", "document": "", "passage": "read "}
    return start(model=dataclasses.replace(checkpoint, prompts=prompts, default_prompt_name="passage"))


def test_a_prompt_stands_before_each_text(prompted: httpx.Client) -> None:
    def vectors(inputs: Any, **more: Any) -> Any:
        return post(prompted, "/embed", {"inputs": inputs, **more})

    plain = vectors(["find a", "find b", "read a", "a"], prompt_name="document")
    assert vectors(["a", "b"], prompt_name="query") == plain[:2]
    assert vectors("a") == vectors("a", prompt_name="passage") == vectors("a", prompt_name=None) == [plain[2]]
    assert vectors("a", prompt_name="document") == [plain[3]]


def test_a_prompt_stands_before_the_sentences_of_both_sides(prompted: httpx.Client) -> None:
    body = {"inputs": {"source_sentence": "a", "sentences": ["b"]}}
    query = post(prompted, "/similarity", {**body, "parameters": {"prompt_name": "query"}})
    written = {"inputs": {"source_sentence": "find a", "sentences": ["find b"]}}
    assert query == post(prompted, "/similarity", {**written, "parameters": {"prompt_name": "document"}})
    assert query != post(prompted, "/similarity", body)


def test_an_unknown_prompt_is_refused_with_those_there_are(prompted: httpx.Client, client: httpx.Client) -> None:
    told = refused(prompted, "/embed", {"inputs": "a", "prompt_name": "canary"}, 422)
    assert "`document`, `passage`, `query`" in told
    assert "canary" not in told
    assert "none at all" in refused(client, "/embed", {"inputs": "a", "prompt_name": "query"}, 422)


def test_token_ids_are_refused_unless_the_service_takes_its_own(client: httpx.Client, start: Start) -> None:
    for ids in ([1007, 1008], [[1007], [1008]], ["a", [1008]]):
        assert "MCSE_ACCEPT_TOKEN_IDS" in refused(client, "/embed", {"inputs": ids}, 422)
    taking = start(accept_token_ids=True)
    one = post(taking, "/embed", {"inputs": [1007, 1008]})
    assert np.shape(one) == (1, 16)
    mixed = post(taking, "/embed", {"inputs": ["a", [1007, 1008]]})
    assert mixed == [*post(taking, "/embed", {"inputs": "a"}), *one]
    wrong: list[list[object]] = [[-1], [2**62], [2**70], [[]], [True], [1.5], [["a"]]]
    for inputs in wrong:
        refused(taking, "/embed", {"inputs": inputs}, 422)


def test_a_prompt_cannot_stand_before_token_ids(start: Start, checkpoint: Any) -> None:
    model = dataclasses.replace(checkpoint, prompts={"query": "find "})
    client = start(model=model, accept_token_ids=True)
    assert "token ids" in refused(client, "/embed", {"inputs": [1007], "prompt_name": "query"}, 422)
    post(client, "/embed", {"inputs": [1007]})


def test_two_thousand_texts_are_one_request(client: httpx.Client) -> None:
    texts = [f"w{i}" for i in range(2000)]
    rows = post(client, "/embed", {"inputs": texts})
    assert np.shape(rows) == (2000, 16)
    assert rows[1234] == post(client, "/embed", {"inputs": texts[1234]})[0]


def test_a_model_without_a_grounded_space_refuses_it(start: Start, ungrounded_checkpoint: Any) -> None:
    client = start(model=ungrounded_checkpoint)
    assert "no grounded space" in refused(client, "/embed", {"inputs": "a", "space": "grounded"}, 422)
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 422)], ids=["at the limit", "over it"])
def test_the_limit_of_items_holds_exactly(start: Start, encoder: Any, count: int, status: int) -> None:
    client = start(max_items=3)
    before = len(encoder.batches)
    assert client.post("/embed", json={"inputs": ["a"] * count}).status_code == status
    assert (len(encoder.batches) > before) == (status == 200)


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 422)], ids=["at the limit", "over it"])
def test_the_limit_of_characters_holds_exactly(start: Start, count: int, status: int) -> None:
    assert start(max_chars=10).post("/embed", json={"inputs": "a" * count}).status_code == status


def test_only_the_poisoned_request_fails(client: httpx.Client) -> None:
    assert "position 1" in refused(client, "/embed", {"inputs": ["good", "poison"]}, 424)
    assert "position 0" in refused(client, "/embed", {"inputs": "nan"}, 424)
    post(client, "/embed", {"inputs": "good"})
    assert client.get("/livez").status_code == 200


def test_overload_is_refused_at_once_with_a_time_to_come_back(start: Start, encoder: Any) -> None:
    import threading

    client = start(max_items=4, max_points_per_request=4, max_pending=4)
    encoder.seconds = 0.5
    statuses: list[int] = []
    busy = threading.Thread(
        target=lambda: statuses.append(client.post("/embed", json={"inputs": ["a"] * 4}).status_code)
    )
    busy.start()
    time.sleep(0.15)
    started = time.monotonic()
    answer = client.post("/embed", json={"inputs": "one more"})
    assert answer.status_code == 429
    assert time.monotonic() - started < 0.2
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error_type"] == "Overloaded"
    assert 'mcse_refused_total{reason="overloaded"} 1.0' in client.get("/metrics").text
    busy.join()
    assert statuses == [200]


def test_an_answer_that_takes_too_long_is_given_up(start: Start, encoder: Any) -> None:
    client = start(request_timeout_s=0.2)
    encoder.seconds = 0.5
    answer = client.post("/embed", json={"inputs": "a"})
    assert answer.status_code == 504
    assert answer.json()["error_type"] == "Timeout"
    assert "x-request-id" in answer.headers


def test_a_caller_who_left_is_not_encoded(start: Start, encoder: Any) -> None:
    client = start()
    encoder.seconds = 0.4
    for text in ("first", "left behind"):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/embed", json={"inputs": text}, timeout=0.1)
    time.sleep(0.6)
    encoded = [ids for batch in encoder.batches for ids in batch]
    assert sum(len(ids) == 4 for ids in encoded) == 0
    assert 'reason="disconnected"} 2.0' in client.get("/metrics").text


def test_similarity_of_one_to_many_is_a_list(client: httpx.Client) -> None:
    body = {"inputs": {"source_sentence": "a dog", "sentences": ["a dog", "a cat", "snow"]}}
    scores = post(client, "/similarity", body)
    assert len(scores) == 3
    assert scores[0] == pytest.approx(1, abs=1e-6)
    assert all(-1 <= score <= 1 for score in scores)


def test_similarity_of_many_to_many_is_a_matrix_of_cosines(client: httpx.Client) -> None:
    scores = post(client, "/similarity", {"queries": ["a", "b"], "keys": ["c", "a", "d"], "space": "grounded"})
    assert np.shape(scores) == (2, 3)
    assert scores[0][1] == pytest.approx(1, abs=1e-6)
    assert np.shape(post(client, "/similarity", {"queries": "a", "keys": ["c"]})) == (1, 1)


def test_similarity_counts_both_sides(start: Start) -> None:
    client = start(max_items=3)
    post(client, "/similarity", {"queries": ["a"], "keys": ["b", "c"]})
    refused(client, "/similarity", {"queries": ["a", "b"], "keys": ["c", "d"]}, 422)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"queries": ["a"]}, 422),
        ({"inputs": {"source_sentence": "a", "sentences": ["b"]}, "keys": ["a"]}, 422),
        ({"inputs": {"source_sentence": "a", "sentences": []}}, 400),
        ({"queries": [], "keys": ["a"]}, 400),
        ({"inputs": {"source_sentence": "a"}}, 422),
        ({"queries": ["a"], "keys": ["b"], "parameters": {"truncate": 1}}, 422),
        ({"queries": ["a"], "keys": ["b"], "parameters": {"unknown": 1}}, 422),
        ({"queries": ["a"], "keys": ["w " * 20], "parameters": {"truncate": False}}, 422),
    ],
)
def test_similarity_of_half_a_question_is_refused(client: httpx.Client, body: Any, status: int) -> None:
    refused(client, "/similarity", body, status)


def test_codes_are_the_same_whatever_they_are_embedded_with(client: httpx.Client) -> None:
    texts = ["a dog", "snow", "b c d e"]
    for kind in ("int8", "uint8", "binary", "ubinary"):
        together = post(client, "/embed", {"inputs": texts, "quantization": kind})
        assert together == [post(client, "/embed", {"inputs": text, "quantization": kind})[0] for text in texts]
        assert np.shape(together) == (3, 16 if kind.endswith("int8") else 2)
        assert all(isinstance(code, int) for row in together for code in row)


@pytest.mark.parametrize("space", ["sentence", "grounded"])
def test_codes_tell_the_vectors_of_their_space(client: httpx.Client, space: str) -> None:
    body = {"inputs": ["a dog", "snow"], "space": space, "dimensions": 6}
    vectors = np.array(post(client, "/embed", body))
    codes = np.array(post(client, "/embed", {**body, "quantization": "int8"}))
    bits = np.array(post(client, "/embed", {**body, "quantization": "ubinary"}), np.uint8)
    bound = np.abs(vectors).max() / np.abs(codes + 0.5).max() * 127.5
    assert 0.5 < bound < 1.1
    np.testing.assert_allclose((codes + 0.5) / 127.5 * bound, vectors, atol=0.02)
    np.testing.assert_array_equal(np.unpackbits(bits, axis=1)[:, :6], vectors > 0)


def test_codes_of_eight_bits_need_unit_vectors(client: httpx.Client) -> None:
    raw = {"inputs": "a", "normalize": False}
    assert "`normalize`" in refused(client, "/embed", {**raw, "quantization": "int8"}, 422)
    unit = post(client, "/embed", {"inputs": "a", "quantization": "binary"})
    assert post(client, "/embed", {**raw, "quantization": "binary"}) == unit


def test_base64_holds_the_bytes_of_each_vector(client: httpx.Client) -> None:
    body = {"inputs": ["a dog", "snow"]}
    for kind, dtype in (("float32", "<f4"), ("int8", "i1"), ("ubinary", "u1")):
        numbers = post(client, "/embed", {**body, "quantization": kind})
        for details in (False, True):
            answer = post(
                client, "/embed", {**body, "quantization": kind, "encoding_format": "base64", "details": details}
            )
            strings = answer["embeddings"] if details else answer
            read = [np.frombuffer(base64.b64decode(string), dtype).tolist() for string in strings]
            np.testing.assert_array_equal(np.array(read, np.float32), np.array(numbers, np.float32))


@pytest.mark.parametrize("more", [{"details": True}, {"encoding_format": "base64"}])
def test_what_only_json_can_hold_is_not_left_out_silently(client: httpx.Client, more: dict[str, Any]) -> None:
    answer = client.post("/embed", json={"inputs": "a", **more}, headers={"accept": "application/x-npy"})
    assert answer.status_code == 406
    assert answer.json()["error_type"] == "NotAcceptable"
    assert f"`{next(iter(more))}`" in answer.json()["error"]


def test_an_answer_of_bytes_says_how_to_read_it(client: httpx.Client) -> None:
    body = {"inputs": ["a dog", "snow"]}
    expected = np.array(post(client, "/embed", body), np.float32)
    answer = client.post("/embed", json=body, headers={"accept": "application/octet-stream"})
    assert (answer.headers["x-shape"], answer.headers["x-dtype"]) == ("2,16", "float32")
    assert answer.content == expected.tobytes()
    packed = client.post(
        "/embed", json={**body, "quantization": "binary"}, headers={"accept": "application/octet-stream"}
    )
    assert (packed.headers["x-shape"], packed.headers["x-dtype"]) == ("2,2", "int8")


def test_errors_are_json_whatever_is_accepted(client: httpx.Client) -> None:
    answer = client.post("/embed", json={"inputs": 5}, headers={"accept": "application/octet-stream"})
    assert answer.status_code == 422
    assert answer.json()["error_type"] == "Validation"
    assert client.post("/embed", json={"inputs": "a"}, headers={"accept": "text/html"}).status_code == 406
