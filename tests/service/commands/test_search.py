import json

import httpx
import pytest

from tests.service.commands.conftest import Run


@pytest.fixture(autouse=True)
def _pets(client: httpx.Client) -> None:
    client.put("/collections/pets", json={})
    points = [
        {"id": 1, "text": "a dog runs", "metadata": {"year": 2021}},
        {"id": "two", "text": "a cat [bold]sleeps", "metadata": {"year": 2022}},
        {"id": 3, "vector": [1.0] * 16},
    ]
    assert client.put("/collections/pets/points", json={"points": points}).status_code == 200


def test_each_query_gets_its_table(run: Run, url: str) -> None:
    shown = run("search", "a dog runs", "a cat [bold]sleeps", "-c", "pets", "--url", url, "--limit", 1).stdout
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert [line.split() for line in (lines[0], lines[2], lines[3], lines[5])] == [
        ["a", "dog", "runs"],
        ["1.0000", "1", "a", "dog", "runs", '{"year":', "2021}"],
        ["a", "cat", "[bold]sleeps"],
        ["1.0000", "two", "a", "cat", "[bold]sleeps", '{"year":', "2022}"],
    ]


def test_a_filter_and_a_mode(run: Run, url: str) -> None:
    wanted = json.dumps({"must": [{"key": "year", "match": {"value": 2022}}]})
    shown = run("search", "dog cat", "-c", "pets", "--url", url, "--filter", wanted, "--mode", "hybrid").stdout
    assert "dense" in shown
    assert "lexical" in shown
    assert "two" in shown
    assert "a dog runs" not in shown
    assert "nothing found" in run("search", "zebra", "-c", "pets", "--url", url, "--mode", "lexical").stdout


def test_json_is_the_answer_of_the_api(run: Run, url: str, client: httpx.Client) -> None:
    shown = json.loads(run("search", "a dog runs", "-c", "pets", "--url", url, "--json", "--exact").stdout)
    answer = client.post("/collections/pets/search", json={"query": "a dog runs", "exact": True}).json()
    assert shown["results"] == answer["results"]
    assert shown["results"][0][0]["id"] == 1


def test_no_collection_is_one_sentence(run: Run, url: str) -> None:
    stderr = run("search", "a dog", "-c", "nobody", "--url", url, exits=1).stderr
    assert stderr.startswith("Error: The service answers 404: ")
    assert stderr.count("\n") == 1
