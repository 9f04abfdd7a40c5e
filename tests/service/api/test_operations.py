import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import __version__

Start = Callable[..., httpx.Client]


@pytest.mark.parametrize("path", ["/", "/health", "/ping", "/livez", "/readyz", "/startedz"])
def test_a_healthy_service_says_so(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_a_failing_check_is_named(start: Start) -> None:
    client = start()
    client.app.state.services.health.draining = True  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"error": "Failing: draining.", "error_type": "Unhealthy", "failing": ["draining"]}
    assert client.get("/livez").status_code == 200
    assert "mcse_ready 0.0" in client.get("/metrics").text


def test_metrics_answer_while_the_store_cannot_be_read(start: Start) -> None:
    client = start()
    client.put("/collections/pets", json={})
    assert 'mcse_collection_points{collection="pets"} 0.0' in client.get("/metrics").text
    client.app.state.services.collections.close()  # type: ignore[attr-defined]
    assert client.get("/readyz").json()["failing"] == ["store:readable"]
    scraped = client.get("/metrics")
    assert scraped.status_code == 200
    assert "mcse_ready 0.0" in scraped.text
    assert "mcse_collection_points{" not in scraped.text


def test_death_of_the_compute_thread_fails_liveness(start: Start, encoder: Any) -> None:
    client = start()

    def die(_batch: Any) -> Any:
        raise SystemExit

    encoder.encode = die
    assert client.post("/embed", json={"inputs": "a"}).status_code == 503
    for path in ("/livez", "/readyz"):
        assert client.get(path).json()["failing"] == ["worker"]
    assert client.post("/embed", json={"inputs": "a"}).status_code == 503


def test_info_has_what_clients_of_text_embeddings_inference_read(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["model_id"] == info["served_model_name"] == info["model"]["name"]
    assert info["model_sha"] == info["model"]["fingerprint"]
    assert info["model_dtype"] == "float32"
    assert info["model_type"] == {"embedding": {"pooling": "cls"}}
    assert info["max_input_length"] == 16
    assert info["max_client_batch_size"] == info["limits"]["items"] == 2048
    assert info["max_concurrent_requests"] == info["limits"]["pending"] == 4096
    assert info["max_batch_tokens"] == info["batching"]["tokens"]
    assert info["auto_truncate"] is True
    assert info["tokenization_workers"] == 1
    assert {info["sha"], info["docker_label"], info["max_batch_requests"]} == {None}


def test_info_tells_the_prompts(start: Start, checkpoint: Any) -> None:
    prompts = {"query": "find ", "document": ""}
    model = start(model=dataclasses.replace(checkpoint, prompts=prompts, default_prompt_name="query"))
    about = model.get("/info").json()["model"]
    assert (about["prompts"], about["default_prompt_name"]) == (prompts, "query")


def test_info_names_the_model_and_every_limit(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["version"] == __version__
    assert info["model"]["fingerprint"] == "f" * 64
    assert info["model"]["dimensions"] == {"sentence": 16, "grounded": 8}
    assert info["model"]["pooling_reason"] == "it is a stub"
    assert info["limits"]["items"] == 2048
    assert (info["limits"]["hits"], info["limits"]["metadata_bytes"]) == (1280, 16_384)
    assert all(value for value in info["limits"].values())


def test_info_tells_how_it_is_computed(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["runtime"] == {"name": "stub-float32", "precision": "float32", "reason": "it is a stub", "threads": 1}
    assert set(info["threads"]) == {"cores", "encoder", "openmp", "blas", "faiss", "tokenizers"}
    assert (info["threads"]["encoder"], info["threads"]["faiss"]) == (1, 1)
    assert info["batching"] == {"tokens": 4096, "source": "set", "tokens_per_s": {}}


def test_the_batch_size_is_tried_out_at_the_first_start(start: Start, tmp_path: Path) -> None:
    info = start(max_batch_tokens=0).get("/info").json()
    assert info["batching"]["source"] == "measured"
    assert info["limits"]["batch_tokens"] == info["batching"]["tokens"] > 0
    assert str(info["batching"]["tokens"]) in info["batching"]["tokens_per_s"]
    assert (tmp_path / "data" / "batch_tokens.json").is_file()


def test_metrics_count_shared_and_known_texts(start: Start) -> None:
    client = start(vector_cache_mb=1)
    client.post("/embed", json={"inputs": ["x", "x", "y"]})
    client.post("/embed", json={"inputs": ["x", "z"]})
    text = client.get("/metrics").text
    for line in (  # the start has embedded one text in both spaces
        "mcse_shared_texts_total 1.0",
        "mcse_vector_cache_hits_total 1.0",
        "mcse_vector_cache_misses_total 6.0",
        "mcse_vector_cache_evictions_total 0.0",
        "mcse_vector_cache_bytes 2848.0",
        "mcse_batch_budget_tokens 4096.0",
        "mcse_tokens_total 15.0",
    ):
        assert line in text, line


def test_metrics_show_zeros_before_the_first_request(start: Start) -> None:
    client = start()
    text = client.get("/metrics").text
    for line in (
        'mcse_requests_total{method="POST",route="/embed",status="200"} 0.0',
        'mcse_requests_total{method="POST",route="/collections/{name}/search",status="200"} 0.0',
        'mcse_stage_seconds_count{stage="encode"} 0.0',
        'mcse_refused_total{reason="overloaded"} 0.0',
        "mcse_tokens_total 0.0",
        "mcse_truncated_texts_total 0.0",
        "mcse_pending_items 0.0",
        "mcse_ready 1.0",
    ):
        assert line in text, line
    assert 'mcse_model_info{fingerprint="' in text


def test_metrics_count_what_was_done(start: Start) -> None:
    client = start()
    client.post("/embed", json={"inputs": ["a b", "w " * 30]})
    client.post("/embed", json={"inputs": 5})
    client.post("/index", json={"texts": ["a"]})
    client.post("/search", json={"query": "a"})
    client.get("/no/such/route")
    client.get("/collections/default/points/a/b")
    text = client.get("/metrics").text
    for line in (
        'mcse_requests_total{method="POST",route="/embed",status="200"} 1.0',
        'mcse_requests_total{method="POST",route="/embed",status="422"} 1.0',
        'mcse_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'mcse_requests_total{method="GET",route="/collections/{name}/points/{point_id}",status="404"} 1.0',
        "mcse_tokens_total 26.0",
        "mcse_truncated_texts_total 1.0",
        'mcse_stage_seconds_count{stage="encode"} 3.0',
        'mcse_stage_seconds_count{stage="store"} 1.0',
        'mcse_stage_seconds_count{stage="search"} 1.0',
        'mcse_collection_points{collection="default"} 1.0',
    ):
        assert line in text, line


def test_every_answer_has_its_headers(client: httpx.Client) -> None:
    for answer in (client.post("/embed", json={"inputs": "a b c"}), client.get("/nothing"), client.get("/livez")):
        for name in ("x-request-id", "x-compute-tokens", "x-compute-characters", "x-truncated", "x-total-time",
                     "x-tokenization-time", "x-queue-time", "x-inference-time"):  # fmt: skip
            assert name in answer.headers
        assert answer.headers["x-model-fingerprint"] == "f" * 64
        assert answer.headers["x-content-type-options"] == "nosniff"
    counted = client.post("/embed", json={"inputs": "a b c"}).headers
    assert (counted["x-compute-tokens"], counted["x-compute-characters"]) == ("5", "5")
    assert float(counted["x-total-time"]) >= float(counted["x-inference-time"]) >= 0


def test_a_sane_request_id_is_kept_and_another_replaced(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"x-request-id": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"
    for bad in ("a b", "x" * 65, "<script>"):
        assert client.get("/livez", headers={"x-request-id": bad}).headers["x-request-id"] != bad
