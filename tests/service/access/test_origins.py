from collections.abc import Callable

import httpx
import pytest

from service.access.origins import origins_in_list
from tests.service.access.conftest import KEYS, READ, bearer

Start = Callable[..., httpx.Client]

HERE, ELSEWHERE = "https://app.example.com", "https://evil.example.com"


def asking(origin: str, method: str = "POST") -> dict[str, str]:
    """The headers of a browser that asks whether a page may."""
    return {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }


@pytest.mark.parametrize(
    "text",
    [
        "example.com",
        "https://example.com/",
        "https://example.com/a",
        "https://EXAMPLE.com",
        "ftp://a",
        "null",
        "https://*.a.com",
    ],
)
def test_what_is_no_origin_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        origins_in_list(text)


def test_origins_are_separated_by_commas() -> None:
    assert origins_in_list(" https://a.com:8443, http://[::1]:3000,http://localhost ") == [
        "https://a.com:8443",
        "http://[::1]:3000",
        "http://localhost",
    ]
    assert origins_in_list("") == []


def test_without_the_setting_no_page_of_another_site_is_let_in(client: httpx.Client) -> None:
    preflight = client.options("/embed", headers=asking(HERE))
    assert preflight.status_code == 405
    answer = client.post("/embed", json={"inputs": "a"}, headers={"origin": HERE})
    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("access-control")]


def test_pages_of_the_origins_that_are_named_may_call(start: Start) -> None:
    client = start(cors_origins=f"{HERE},http://localhost:3000", api_keys=KEYS)
    preflight = client.options("/embed", headers=asking(HERE))
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == HERE
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    answer = client.post("/embed", json={"inputs": "a"}, headers={"origin": HERE, **bearer(READ)})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == HERE
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    refused = client.post("/embed", json={"inputs": "a"}, headers={"origin": HERE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, HERE)


def test_pages_of_other_origins_may_not(start: Start) -> None:
    client = start(cors_origins=HERE)
    preflight = client.options("/embed", headers=asking(ELSEWHERE))
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    answer = client.post("/embed", json={"inputs": "a"}, headers={"origin": ELSEWHERE})
    assert "access-control-allow-origin" not in answer.headers


def test_every_origin_may_be_let_in_where_keys_are_asked_for(start: Start) -> None:
    client = start(cors_origins="*", api_keys=KEYS)
    assert client.options("/embed", headers=asking(ELSEWHERE)).headers["access-control-allow-origin"] == "*"
    answer = client.get("/livez", headers={"origin": ELSEWHERE})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
