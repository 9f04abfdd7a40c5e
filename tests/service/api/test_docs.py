import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]


def test_the_page_loads_everything_from_this_service(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text) + re.findall(r"url: '([^']+)'", page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/docs/")
        assert client.get(link).status_code == 200
    assert "://" not in page.text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("name", ["index.html", "..%2Fswagger_ui_bundle%2F__init__.py", "%2e%2e", "swagger-ui.js.map"])
def test_no_other_file_is_served(client: httpx.Client, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_description_has_every_route_and_our_errors(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert {"/embed", "/similarity", "/index", "/search", "/collections/{name}/points"} <= set(description["paths"])
    answers = description["paths"]["/embed"]["post"]["responses"]
    assert answers["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")
    assert client.get("/docs/openapi.json").json()["openapi"] == "3.0.3"


def test_docs_can_be_turned_off(start: Start) -> None:
    client = start(docs=False)
    for path in ("/docs", "/docs/swagger-ui.css", "/openapi.json", "/docs/openapi.json"):
        assert client.get(path).status_code == 404


def operations(description: Any) -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_says_what_it_does(client: httpx.Client) -> None:
    for route, operation in operations(client.get("/openapi.json").json()).items():
        assert operation["summary"], route
        assert operation["description"].endswith("."), route


ORDER = [  # each one stands on those before it; those that stand alone come after them
    ("POST", "/index"),
    ("POST", "/search"),
    ("PUT", "/collections/{name}"),
    ("PUT", "/aliases/{name}"),
    ("PUT", "/collections/{name}/points"),
    ("POST", "/collections/{name}/points"),
    ("POST", "/collections/{name}/search"),
    ("POST", "/collections/{name}/search/batch"),
    ("POST", "/collections/{name}/duplicates"),
    ("POST", "/collections/{name}/points/metadata"),
    ("POST", "/collections/{name}/points/metadata/delete"),
    ("POST", "/collections/{name}/count"),
    ("POST", "/collections/{name}/points/scroll"),
    ("POST", "/collections/{name}/snapshots/{snapshot}/restore"),
    ("POST", "/collections/{name}/points/delete"),
]


def test_the_example_of_every_body_works(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    examples = {
        route: example_of(operation, description)
        for route, operation in operations(description).items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert set(ORDER) <= set(examples)
    changed = {}
    for method, template in [*ORDER, *sorted(set(examples) - set(ORDER))]:
        path = template.replace("{name}", "animals" if template == "/aliases/{name}" else "pets")
        if "{snapshot}" in path:
            path = path.replace("{snapshot}", client.post("/collections/pets/snapshots").json()["name"])
        answer = client.request(method, path, json=examples[method, template])
        assert answer.status_code in (200, 201), (path, answer.text)
        changed[template] = answer.json()
    assert changed["/collections/{name}/points/metadata"] == {"updated": 2}
    assert changed["/collections/{name}/count"] == {"count": 1}
    assert changed["/collections/{name}/points/delete"] == {"deleted": 1}
    assert len(changed["/collections/{name}/search"]["results"][0]) == 2
    client.delete("/collections/pets-restored")


def example_of(operation: Any, description: Any) -> Any:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    references = [each["$ref"] for each in [schema, *schema.get("anyOf", [])] if "$ref" in each]
    return description["components"]["schemas"][references[0].rpartition("/")[2]]["example"]
