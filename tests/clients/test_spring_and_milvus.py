"""Spring AI's OpenAI model and Milvus' TEI function: the requests that they send, written down."""

from tests.clients.installed import assert_same
from tests.clients.servers import MODEL, Server
from tests.clients.texts import ALL, EMPTY, MANY, NO_CONTENT


def test_spring_ai_gets_the_vectors_of_the_native_route(server: Server) -> None:
    body = {"input": ALL, "model": MODEL, "encoding_format": "float", "dimensions": 64, "user": "spring"}
    data = server.post("/v1/embeddings", body).json()["data"]
    assert_same([item["embedding"] for item in data], server.embed(ALL, dimensions=64))
    answer = server.post("/v1/embeddings", {"input": [EMPTY], "model": MODEL})
    assert answer.status_code == 400
    assert NO_CONTENT in answer.json()["error"]["message"]


def test_milvus_gets_the_vectors_of_the_native_route(server: Server) -> None:
    for direction in ("Right", "Left"):
        body = {"inputs": MANY, "truncate": True, "truncation_direction": direction}
        assert_same(server.post("/embed", body).json(), server.embed(MANY))
    answer = server.post("/embed", {"inputs": [EMPTY]})
    assert answer.status_code == 422
    assert NO_CONTENT in answer.json()["error"]
