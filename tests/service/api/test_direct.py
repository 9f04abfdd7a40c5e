"""The direct way and FastAPI's own give the same answers; here FastAPI's is taken by a path that only it knows."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from service.api.direct import direct_routes
from service.app import ROUTERS, create_app
from service.model import Encoder, ServedModel
from service.settings import Settings

BODIES: list[Any] = [
    {"inputs": "a dog"},
    {"inputs": ["a", "b"], "dimensions": 3, "details": True},
    {"inputs": []},
    {"inputs": 5},
    {"inputs": ["a", None]},
    {"inputs": "a", "unknown": 1},
    {"inputs": "a", "dimensions": 99},
    {"inputs": ["a", "poison"]},
    {"queries": ["a"], "keys": ["b", "a"]},
    {"texts": ["a"]},
    {"input": ["a", "b"], "dimensions": 3},
    {"input": [1, 2]},
    {"inputs": [{"data": "a"}, {"data": "b", "data_type": "image"}]},
    {"inputs": [{"data": "a"}]},
    {"text": "a", "unknown": 1},
    {"query": "a", "limit": 0},
    {},
    [],
    "a",
]


def test_the_routes_that_take_a_body_alone_are_direct() -> None:
    named = ("search", "search/batch", "duplicates", "points/delete", "points/metadata", "points/metadata/delete")
    dialects = ("v1/embeddings", "embeddings", "v2/embed", "v1/embed", "api/embed", "api/embeddings")
    others = ("vectors", "vectors/", "qdrant/inference")
    assert set(direct_routes(ROUTERS)) >= {
        *(("POST", f"/{path}") for path in (*dialects, *others)),
        *(("POST", f"/{name}") for name in ("embed", "similarity", "index", "search")),
        *(("POST", f"/collections/{{name}}/{path}") for path in named),
        ("PUT", "/collections/{name}/points"),
    }


@pytest.fixture
def by_fastapi(tmp_path: Path, checkpoint: ServedModel, encoder: Encoder) -> Iterator[httpx.Client]:
    """A server of the same app without the shortcut before it."""
    settings = Settings(data_dir=tmp_path / "other", threads=1, max_batch_tokens=4096)
    app = create_app(settings, checkpoint=checkpoint, runtime=encoder)
    app.build_middleware_stack = super(type(app), app).build_middleware_stack  # type: ignore[method-assign]
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)


DIALECTS = ["/v1/embeddings", "/v2/embed", "/api/embed", "/vectors", "/qdrant/inference"]


@pytest.mark.parametrize("path", ["/embed", "/similarity", "/index", "/search", *DIALECTS])
def test_they_answer_as_fastapi_would(client: httpx.Client, by_fastapi: httpx.Client, path: str) -> None:
    for body in BODIES:
        direct, other = client.post(path, json=body), by_fastapi.post(path, json=body)
        assert direct.status_code == other.status_code, body
        assert direct.headers.keys() == other.headers.keys()
        one, two = direct.json(), other.json()
        if isinstance(one, dict):
            for varies in ("ids", "took_ms", "id", "total_duration"):
                one.pop(varies, None), two.pop(varies, None)
        assert one == two, body


@pytest.mark.parametrize("accept", ["application/octet-stream", "application/x-npy;q=0.5", "text/html", "*/*;q=0"])
def test_they_answer_in_the_form_that_fastapi_would(
    client: httpx.Client, by_fastapi: httpx.Client, accept: str
) -> None:
    for path in ("/embed", "/similarity", "/v1/embeddings"):
        for body in BODIES:
            direct, other = (each.post(path, json=body, headers={"accept": accept}) for each in (client, by_fastapi))
            assert direct.status_code == other.status_code, (path, body)
            for name in ("content-type", "x-shape", "x-dtype"):
                assert direct.headers.get(name) == other.headers.get(name)


NAMED: list[tuple[str, Any]] = [
    ("points", {"points": [{"id": 1, "text": "a dog"}, {"id": 2, "text": "a cat"}]}),
    ("points", {"points": []}),
    ("search", {"query": "a dog"}),
    ("search", {"id": 1, "limit": 1}),
    ("search", {"query": "a dog", "limit": 0}),
    ("search", []),
    ("search/batch", {"searches": [{"id": 2}]}),
    ("points/delete", {"ids": [2, 3]}),
    ("points/delete", {}),
]


@pytest.mark.parametrize("name", ["pets", "nobody", ".hidden", "a b", "a%2Fb", "x" * 129, ""])
def test_they_answer_as_fastapi_would_for_every_name(client: httpx.Client, by_fastapi: httpx.Client, name: str) -> None:
    for each in (client, by_fastapi):
        each.put("/collections/pets", json={})
    for path, body in NAMED:
        method = "PUT" if path == "points" else "POST"
        direct, other = (
            each.request(method, f"/collections/{name}/{path}", json=body) for each in (client, by_fastapi)
        )
        assert direct.status_code == other.status_code, (path, body)
        assert direct.headers.keys() == other.headers.keys()
        one, two = direct.json(), other.json()
        assert one.pop("took_ms", 0) >= 0
        assert two.pop("took_ms", 0) >= 0
        assert one == two, (path, body)


def test_other_methods_and_spellings_go_to_fastapi(client: httpx.Client) -> None:
    assert client.get("/embed").status_code == 405
    assert client.post("/embed/", json={"inputs": "a"}).status_code == 404
    assert client.post("/embed?x=1", json={"inputs": "a"}).status_code == 200


def test_a_request_passes_the_middleware_once(client: httpx.Client) -> None:
    before = client.get("/metrics").text
    client.post("/embed", json={"inputs": "a"})
    after = client.get("/metrics").text
    series = 'mcse_requests_total{method="POST",route="/embed",status="200"} '

    def count(text: str) -> float:
        return float(text.partition(series)[2].partition("\n")[0])

    assert count(after) == count(before) + 1
