import json

import httpx

from tests.service.commands.conftest import Run


def test_collections_are_listed_with_size_kind_model_and_aliases(run: Run, url: str, client: httpx.Client) -> None:
    client.put("/collections/pets", json={"metric": "dot", "index": "flat", "description": "Our [dogs]"})
    client.put("/collections/pets/points", json={"points": [{"text": "a"}, {"text": "b"}]})
    client.put("/aliases/animals", json={"collection": "pets"})
    shown = run("collections", "--url", url).stdout
    [row] = [line.split() for line in shown.splitlines() if line.startswith(" pets")]
    assert row == ["pets", "2", "sentence", "16", "dot", "flat", "float32", "f" * 12, "animals", "Our", "[dogs]"]
    [told] = json.loads(run("collections", "--url", url, "--json").stdout)["collections"]
    assert (told["name"], told["count"], told["aliases"], told["of_running_model"]) == ("pets", 2, ["animals"], True)


def test_a_collection_of_another_model_says_so(run: Run, other_model: httpx.Client) -> None:
    shown = run("collections", "--url", other_model.base_url).stdout
    assert "f" * 12 + " (another)" in shown
