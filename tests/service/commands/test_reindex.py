import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.commands.conftest import Run, mcse, points_of
from tests.service.commands.proxy import Trouble, Wrong

NEW = "pets-eeeeeeee"


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def payload(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: point[name] for name in ("id", "text", "metadata")} for point in points]


def test_texts_are_embedded_anew_and_the_alias_is_switched(run: Run, other_model: httpx.Client) -> None:
    other_model.put("/aliases/animals", json={"collection": "pets"})
    assert other_model.post("/collections/animals/search", json={"query": "text 5"}).status_code == 409
    result = run("reindex", "-c", "animals", "--url", other_model.base_url)
    assert result.stdout == f"300 points of pets are in {NEW}\nthe alias animals stands for {NEW}\n"
    old, new = (points_of(other_model, name, with_vector=True) for name in ("pets", NEW))
    assert payload(new) == payload(old)
    assert all(before["vector"] != after["vector"] for before, after in zip(old, new, strict=True))
    made = other_model.get(f"/collections/{NEW}").json()
    assert [made[name] for name in ("metric", "index", "description", "model_fingerprint")] == [
        "dot", "flat", "Ours", "e" * 64,
    ]  # fmt: skip
    found = other_model.post("/collections/animals/search", json={"query": "text 5", "limit": 1}).json()
    assert found["results"][0][0]["id"] == 5
    assert not list(Path().glob("mcse-*"))
    again = run("reindex", "-c", "animals", "--url", other_model.base_url)
    assert "of the running model already; nothing to do" in again.stdout


def test_without_an_alias_nothing_is_switched(run: Run, other_model: httpx.Client) -> None:
    result = run("reindex", "-c", "pets", "--url", other_model.base_url, "--into", "mine")
    assert result.stdout == "300 points of pets are in mine\n"
    assert other_model.get("/aliases").json()["aliases"] == []
    run("reindex", "-c", "pets", "--url", other_model.base_url, "--alias", "live")
    assert other_model.get("/aliases").json()["aliases"] == [{"alias": "live", "collection": NEW}]


def test_points_without_a_text_stop_the_switch_unless_they_may_be_dropped(
    run: Run, other_model: httpx.Client, two_without_text: None
) -> None:
    call = ("reindex", "-c", "pets", "--url", other_model.base_url, "--alias", "live")
    stderr = run(*call, exits=1).stderr
    assert "2 points of pets have no text to embed (ids bare, 900)" in stderr
    assert other_model.get("/aliases").json()["aliases"] == []
    assert "There is a collection" in run(*call, exits=1).stderr
    assert "2 points" in run(*call, "--resume", exits=1).stderr
    result = run(*call, "--resume", "--drop-without-text")
    assert result.stdout.startswith(f"300 points of pets are in {NEW}, 2 without a text left out\n")
    assert other_model.get("/aliases").json()["aliases"] == [{"alias": "live", "collection": NEW}]


def test_texts_the_new_model_cannot_embed_stop_the_switch(
    run: Run, other_model: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.service.commands.conftest import OtherEncoder
    from tests.service.conftest import word_id

    encode = OtherEncoder.encode

    def fail_on_seven(self: OtherEncoder, batch: Any) -> Any:
        if any(word_id("7") in ids for ids in batch):
            raise RuntimeError
        return encode(self, batch)

    monkeypatch.setattr(OtherEncoder, "encode", fail_on_seven)
    stderr = run("reindex", "-c", "pets", "--url", other_model.base_url, "--alias", "live", exits=1).stderr
    assert f"1 points were rejected and are not in {NEW}: 7: " in stderr
    assert other_model.get("/aliases").json()["aliases"] == []
    assert len(points_of(other_model, NEW)) == 299
    monkeypatch.undo()
    run("reindex", "-c", "pets", "--url", other_model.base_url, "--alias", "live", "--resume", exits=0)
    assert len(points_of(other_model, NEW)) == 300


def test_points_that_are_deleted_meanwhile_stop_the_switch(
    run: Run, other_model: httpx.Client, proxied: Callable[[str, Trouble], str]
) -> None:
    def delete(_: str, path: str) -> Wrong | None:
        if path.endswith("/pets/count"):
            other_model.post("/collections/pets/points/delete", json={"ids": [1, 2]})
        return None

    between = proxied(str(other_model.base_url), delete)
    stderr = run("reindex", "-c", "pets", "--url", between, "--alias", "live", exits=1).stderr
    assert f"{NEW} has 300 points and should have 298: pets was changed meanwhile" in stderr
    assert other_model.get("/aliases").json()["aliases"] == []


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(run: Run, other_model: httpx.Client) -> None:
    encoder = other_model.app.state.services.encoder  # type: ignore[attr-defined]
    encoder.seconds = 0.05
    call = mcse("reindex", "-c", "pets", "--url", other_model.base_url, "--alias", "live")
    url = str(other_model.base_url)
    assert url
    process = subprocess.Popen(call)
    while other_model.post(f"/collections/{NEW}/count", json={}).json().get("count", 0) < 100:
        time.sleep(0.005)
        assert process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert other_model.get("/aliases").json()["aliases"] == []
    state = json.loads(Path(f"mcse-reindex-{NEW}.json").read_text())
    assert state["task"]["collection"] == "pets"
    result = run("reindex", "-c", "pets", "--url", url, "--alias", "live", "--resume")
    assert result.stdout.startswith("300 points")
    assert payload(points_of(other_model, NEW)) == payload(points_of(other_model, "pets"))


def test_wrong_names_are_told(run: Run, other_model: httpx.Client) -> None:
    other_model.put("/aliases/taken", json={"collection": "pets"})
    url = other_model.base_url
    assert "has no collection nobody" in run("reindex", "-c", "nobody", "--url", url, exits=1).stderr
    assert "is an alias for pets" in run("reindex", "-c", "pets", "--url", url, "--into", "taken", exits=1).stderr
    assert (
        "There is a collection pets already"
        in run("reindex", "-c", "pets", "--url", url, "--into", "pets", exits=1).stderr
    )
