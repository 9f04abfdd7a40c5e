import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.commands.comparing import Comparison, compare_one
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


def by_id(client: httpx.Client, name: str) -> dict[str | int, dict[str, Any]]:
    return {point["id"]: point for point in points_of(client, name, with_vector=True)}


def test_a_collection_arrives_bit_for_bit_and_comes_back(
    run: Run, client: httpx.Client, url: str, target: httpx.Client
) -> None:
    fill(client, "dot")
    there = run("migrate", "--from", url, "--to", target.base_url, "-c", "pets").stdout
    assert "600 points are at" in there
    assert "bit for bit" in there
    assert by_id(target, "pets") == by_id(client, "pets")
    ours, theirs = (each.get("/collections/pets").json() for each in (client, target))
    for name in ("space", "metric", "index", "storage", "description", "count", "model_fingerprint"):
        assert theirs[name] == ours[name]
    back = run("migrate", "--from", target.base_url, "--to", url, "-c", "pets", "--into", "back").stdout
    assert there.split()[-1] == back.split()[-1]
    assert by_id(client, "back") == by_id(client, "pets")
    assert not list(Path().glob("mcse-*"))


def test_unit_vectors_arrive_within_the_last_bit(
    run: Run, client: httpx.Client, url: str, target: httpx.Client
) -> None:
    fill(client, "cosine")
    assert "600 points are at" in run("migrate", "--from", url, "--to", target.base_url, "-c", "pets").stdout
    ours, theirs = by_id(client, "pets"), by_id(target, "pets")
    assert ours.keys() == theirs.keys()
    for point_id, point in ours.items():
        assert np.allclose(point.pop("vector"), theirs[point_id].pop("vector"), rtol=0, atol=1e-7)
        assert point == theirs[point_id]


def test_vectors_beyond_the_tolerance_are_different() -> None:
    ours: dict[str, Any] = {"id": 1, "text": "a", "metadata": {"k": 1}, "vector": [0.6, 0.8]}
    changes: list[tuple[dict[str, Any], int]] = [
        ({}, 0),
        ({"vector": [0.6 + 5e-7, 0.8]}, 0),
        ({"vector": [0.6 + 5e-6, 0.8]}, 1),
        ({"vector": [0.6]}, 1),
        ({"text": "b"}, 1),
        ({"text": None}, 1),
        ({"metadata": {"k": 1.5}}, 1),
        ({"metadata": {}}, 1),
    ]
    for change, different in changes:
        found, sums = Comparison(), [0, 0]
        compare_one(ours, {**ours, **change}, found, sums)
        assert found.different == different, change
        assert (sums[0] == sums[1]) == (not change)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(
    run: Run, client: httpx.Client, url: str, target: httpx.Client, proxied: Callable[[str, Trouble], str]
) -> None:
    fill(client, "dot", 1000)

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
    assert by_id(target, "pets") == by_id(client, "pets")


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
    assert "600 points" in run(*call, "--resume").stdout
    assert by_id(target, "pets").keys() == by_id(client, "pets").keys()
    assert by_id(target, "pets")[1]["text"] == "text 1 🐕"
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


def test_to_qdrant_and_back(
    run: Run, client: httpx.Client, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qdrant_client = pytest.importorskip("qdrant_client")
    monkeypatch.setattr(
        "service.search.qdrant.connection.open_qdrant", lambda *_: qdrant_client.QdrantClient(":memory:")
    )
    fill(client, "dot")
    client.put("/collections/units", json={})
    points = [{"id": n, "text": f"text {n}"} for n in range(200)]
    client.put("/collections/units/points", json={"points": points})
    settings = Settings(
        data_dir=tmp_path / "none", threads=1, max_batch_tokens=4096, search="qdrant", qdrant_url="http://memory"
    )
    with served(settings, StubCheckpoint(), StubEncoder()) as qdrant:
        for name in ("pets", "units"):
            run("migrate", "--from", url, "--to", qdrant.base_url, "-c", name)
            result = run("migrate", "--from", qdrant.base_url, "--to", url, "-c", name, "--into", f"{name}-back")
            if name == "pets":
                assert "bit for bit" in result.stdout
    assert by_id(client, "pets-back") == by_id(client, "pets")
    assert client.get("/collections/pets-back").json()["description"] == "Ours"
