"""docs/openapi.json is what the service says of itself, and what it says is so: every example is sent to it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from service.document import document, written
from tests.clients.servers import SERVICE, started

WRITTEN = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
ONLY_REFUSE = {"POST /embed_sparse", "POST /predict", "POST /rerank"}
"""What an embedding model cannot do."""

MAKES = {"PUT /collections/{name}", "POST /collections/{name}/snapshots/{snapshot}/restore"}
"""What they make must not be there before."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a service with nothing but defaults."""
    folder = tmp_path_factory.mktemp("described")
    with (
        started(folder, *SERVICE, "--data-dir", str(folder / "data")) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to; the first where there are several."""
    if "anyOf" in schema:
        return resolved(schema["anyOf"][0])
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def example_of_parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    return str((parameter.get("examples") or schema.get("examples"))[0])


def example_of_body(operation: dict[str, Any]) -> tuple[str, bytes] | None:
    """(media type, body) of the first media type; None for a route without a body."""
    if "requestBody" not in operation:
        return None
    media_type, content = next(iter(operation["requestBody"]["content"].items()))
    example = content.get("example", resolved(content.get("schema", {})).get("example"))
    return media_type, example.encode() if isinstance(example, str) else orjson.dumps(example)


def prepare(client: httpx.Client, name: str) -> dict[str, str]:
    """A collection, an alias and a snapshot for an operation to work on; what the service named itself."""
    for made in client.get("/collections").json()["collections"]:
        client.delete(f"/collections/{made['name']}")
    for path in ("/collections/{name}", "/collections/{name}/points", "/aliases/{name}"):
        assert send(client, f"PUT {path}").is_success
    snapshot = client.post("/collections/pets/snapshots").json()["name"]
    content = client.get(f"/collections/pets/snapshots/{snapshot}").content
    if name in MAKES:
        client.delete("/collections/pets" if name.startswith("PUT") else "/collections/pets-restored")
    return {"snapshot": snapshot, "content": content.hex()}


def send(client: httpx.Client, name: str, **made: str) -> httpx.Response:
    """The example of an operation."""
    method, path = name.split(" ")
    operation = OPERATIONS[name]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = made.get(parameter["name"]) or example_of_parameter(parameter)
            path = path.replace(f"{{{parameter['name']}}}", value)
    body = example_of_body(operation)
    if body is None:
        return client.request(method, path)
    media_type, content = body
    if media_type == "application/octet-stream":
        content, path = bytes.fromhex(made["content"]), f"{path}?replace=true"
    return client.request(method, path, content=content, headers={"content-type": media_type})


def test_the_written_document_is_what_the_service_says() -> None:
    assert WRITTEN.read_bytes() == written(DOCUMENT), "write it anew with `make openapi`"


def test_the_service_answers_with_it(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described_with_its_errors(name: str) -> None:
    operation = OPERATIONS[name]
    assert len(operation["description"]) > 10
    assert operation["summary"]
    statuses = operation["responses"]
    assert {"4XX", "5XX"} <= set(statuses)
    told = [status for status in statuses if re.fullmatch(r"[45]\d\d", status)]
    assert told or operation.get("requestBody") is None, "no error is told by its status"
    for status in (*told, "4XX", "5XX"):
        assert statuses[status]["description"]
        assert "error" in str(statuses[status]["content"]["application/json"]["schema"]).lower()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_example_of_an_operation_works(client: httpx.Client, name: str) -> None:
    answer = send(client, name, **prepare(client, name))
    if name in ONLY_REFUSE:
        assert answer.status_code == 422
    else:
        assert answer.is_success, answer.text
    assert str(answer.status_code) in OPERATIONS[name]["responses"]


def test_there_is_an_operation_for_every_route_that_has_one() -> None:
    assert len(OPERATIONS) > 60
    assert set(OPERATIONS) >= ONLY_REFUSE | MAKES
