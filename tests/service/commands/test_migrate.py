import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.settings import Settings
from tests.service.commands.conftest import Run, mcse, points_of
from tests.service.commands.proxy import Trouble, Wrong
from tests.service.conftest import StubCheckpoint, StubEncoder, served


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[httpx.Client]:
    """Another server, of the same model."""
    settings = Settings(data_dir=tmp_path / "target", threads=1, max_batch_tokens=4096, max_points_per_request=50)
    with served(settings, StubCheckpoint(), StubEncoder()) as client:
        yield client


def fill(client: httpx.Client, metric: str, count: int = 600) -> None:
    vectors = np.random.default_rng(4).normal(size=(count, 16)) * 10
    points: list[dict[str, Any]] = [
        {
            "id": n if n % 2 else str(n),
            "vector": vector.tolist(),
            "metadata": {"n": n, "x": n / 7, "in": {"a": [1, None]}},
        }
        for n, vector in enumerate(vectors)
    ]
    for n, point in enumerate(points):
        if n % 3:
            point["text"] = f"text {n} 🐕"
    client.put("/collections/pets", json={"metric": metric, "index": "flat", "description": "Ours"})
    for start in range(0, count, 200):
        assert client.put("/collections/pets/points", json={"points": points[start : start + 200]}).status_code == 200


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_collection_arrives_bit_for_bit_and_comes_back(
    run: Run, client: httpx.Client, url: str, target: httpx.Client, metric: str
) -> None:
    fill(client, metric)
    there = run("migrate", "--from", url, "--to", target.base_url, "-c", "pets")
    assert "600 points are at" in there.stdout
    assert "bit for bit" in there.stdout
    assert points_of(target, "pets", with_vector=True) == points_of(client, "pets", with_vector=True)
    ours, theirs = (each.get("/collections/pets").json() for each in (client, target))
    for name in ("space", "metric", "index", "storage", "description", "count", "model_fingerprint"):
        assert theirs[name] == ours[name]
    back = run("migrate", "--from", target.base_url, "--to", url, "-c", "pets", "--into", "back")
    assert there.stdout.split()[-1] == back.stdout.split()[-1]
    assert points_of(client, "back", with_vector=True) == points_of(client, "pets", with_vector=True)
    assert not list(Path().glob("mcse-*"))


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(
    run: Run, client: httpx.Client, url: str, target: httpx.Client, proxied: Callable[[str, Trouble], str]
) -> None:
    fill(client, "cosine", 1000)

    def slow(method: str, path: str) -> Wrong | None:
        time.sleep(0.05)
        return None

    between = proxied(str(target.base_url), slow)
    call = ("migrate", "--from", url, "--to", between, "-c", "pets")
    process = subprocess.Popen(mcse(*call))
    while target.post("/collections/pets/count", json={}).json().get("count", 0) < 300:
        time.sleep(0.005)
        assert process.poll() is None
    process.kill()
    process.wait()
    assert "There is a collection pets already" in run(*call, exits=1).stderr
    assert "bit for bit" in run(*call, "--resume").stdout
    assert points_of(target, "pets", with_vector=True) == points_of(client, "pets", with_vector=True)


def test_what_changes_meanwhile_is_found(
    run: Run, client: httpx.Client, url: str, target: httpx.Client, proxied: Callable[[str, Trouble], str]
) -> None:
    fill(client, "cosine")
    changes: list[dict[str, Any]] = [{"points": [{"id": 1, "text": "another", "vector": [1.0] * 16}]}]

    def change(method: str, path: str) -> Wrong | None:
        if method == "POST" and path.endswith("/points") and changes:  # the first read of the comparison
            target.put("/collections/pets/points", json=changes.pop())
        return None

    call = ("migrate", "--from", url, "--to", proxied(str(target.base_url), change), "-c", "pets")
    stderr = run(*call, exits=1).stderr
    assert "0 points are missing in pets and 1 are different (ids 1)" in stderr
    client.post("/collections/pets/points/delete", json={"ids": [1]})
    client.put("/collections/pets/points", json={"points": [{"id": "late", "text": "late"}]})
    stderr = run(*call, "--resume", exits=1).stderr
    assert "pets has 601 points, its source 600" in stderr
    target.post("/collections/pets/points/delete", json={"ids": [1]})
    assert "600 points" in run(*call, "--resume").stdout


def test_another_model_is_refused(run: Run, other_model: httpx.Client, url: str) -> None:
    stderr = run("migrate", "--from", other_model.base_url, "--to", other_model.base_url, "-c", "pets", exits=1).stderr
    assert "runs another model (eeeeeeeeeeee) than made pets (ffffffffffff)" in stderr
    assert "300 points" in run("migrate", "--from", other_model.base_url, "--to", url, "-c", "pets").stdout


def test_what_the_other_service_does_not_take_is_told(run: Run, client: httpx.Client, url: str, tmp_path: Path) -> None:
    fill(client, "dot", 200)
    client.put("/collections/pets/points", json={"points": [{"id": "long", "text": "t" * 5000, "vector": [1.0] * 16}]})
    settings = Settings(data_dir=tmp_path / "small", threads=1, max_batch_tokens=4096, max_chars=4999)
    with served(settings, StubCheckpoint(), StubEncoder()) as small:
        stderr = run("migrate", "--from", url, "--to", small.base_url, "-c", "pets", exits=1).stderr
        assert "1 points were rejected and are not in pets: long: The text has 5000 characters" in stderr
        assert len(points_of(small, "pets")) == 200
