import httpx
import pytest


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, POST"),
        ("/embed", "POST"),
        ("/collections/pets", "DELETE, GET, PUT"),
        ("/collections/pets/points", "POST, PUT"),
        ("/collections/pets/points/delete", "GET, POST"),
        ("/aliases/pets", "DELETE, PUT"),
        ("/v1/models", "GET"),
        ("/docs", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_refused_with_all_those_that_are(
    client: httpx.Client, path: str, allowed: str
) -> None:
    answer = client.request("OPTIONS", path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert allowed in answer.text
