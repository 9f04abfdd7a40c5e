import re
from collections.abc import Callable

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
