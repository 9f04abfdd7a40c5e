import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.commands.conftest import Run, mcse, points_of
from tests.service.commands.proxy import Trouble, Wrong

POINTS: list[dict[str, Any]] = [
    {"id": 1, "text": 'a "dog", runs\nfar', "metadata": {"year": 2021, "tags": ["x", None], "in": {"a": 1.5}}},
    {"id": "1", "text": "  spaces and ünïcode 🐕 ", "metadata": {"year": 2022}},
    {"id": "no text", "vector": [0.1] * 15 + [-3e-7]},
    {"id": 2**63 - 1, "text": "x\r\ny"},
]


@pytest.fixture
def pets(client: httpx.Client) -> httpx.Client:
    client.put("/collections/pets", json={"metric": "dot"})
    assert client.put("/collections/pets/points", json={"points": POINTS}).status_code == 200
    return client


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_what_is_exported_is_indexed_again(run: Run, pets: httpx.Client, url: str, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    result = run("export", "-c", "pets", "--url", url, "--output", output, "--with-vector")
    assert f"4 points to {output}" in result.stderr
    run("index", output, "-c", "again", "--url", url, "--metric", "dot", "--strict")
    before, after = (points_of(pets, collection, with_vector=True) for collection in ("pets", "again"))
    if name != "out.jsonl":  # the rest has one type for all ids, so the integer 1 and the string "1" become one
        before = [{**point, "id": str(point["id"])} for point in before[1:]]
    assert after == before


def test_integer_ids_stay_integers_in_parquet(run: Run, client: httpx.Client, url: str, tmp_path: Path) -> None:
    client.put("/collections/pets", json={})
    client.put("/collections/pets/points", json={"points": [{"id": n, "text": f"t {n}"} for n in range(3)]})
    run("export", "-c", "pets", "--url", url, "-o", tmp_path / "a.parquet")
    run("index", tmp_path / "a.parquet", "-c", "again", "--url", url)
    assert points_of(client, "again") == points_of(client, "pets")


def test_vectors_are_left_out_unless_they_are_asked_for(run: Run, pets: httpx.Client, url: str, tmp_path: Path) -> None:
    run("export", "-c", "pets", "--url", url, "-o", tmp_path / "a.jsonl")
    written = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert written == [{"metadata": {}, "text": None, **POINTS[n], "id": POINTS[n]["id"]} for n in (0, 1)] + [
        {"id": "no text", "text": None, "metadata": {}},
        {"id": 2**63 - 1, "text": "x\r\ny", "metadata": {}},
    ]


def test_a_filter_chooses_the_points(run: Run, pets: httpx.Client, url: str, tmp_path: Path) -> None:
    wanted = json.dumps({"must": [{"key": "year", "range": {"gte": 2022}}]})
    run("export", "-c", "pets", "--url", url, "-o", tmp_path / "a.jsonl", "--filter", wanted)
    assert [json.loads(line)["id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == ["1"]
    for wrong, part in (("{", "not valid JSON"), ("[]", "no object")):
        assert part in run("export", "-c", "pets", "-o", "-", "--format", "csv", "--filter", wrong, exits=2).stderr
    unknown = run("export", "-c", "pets", "--url", url, "-o", tmp_path / "b.jsonl", "--filter", '{"most": []}', exits=1)
    assert "422" in unknown.stderr
    assert not (tmp_path / "b.jsonl").exists()


def test_many_points_come_in_many_pages(run: Run, start: Callable[..., httpx.Client], tmp_path: Path) -> None:
    server = start(max_limit=10, max_hits=10)
    server.put("/collections/pets", json={})
    vectors = np.random.default_rng(1).normal(size=(95, 16)).astype(np.float32)
    points = [{"id": n, "vector": vector.tolist()} for n, vector in enumerate(vectors)]
    server.put("/collections/pets/points", json={"points": points})
    run("export", "-c", "pets", "--url", server.base_url, "-o", tmp_path / "a.jsonl", "--with-vector")
    written = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [point["id"] for point in written] == list(range(95))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose([point["vector"] for point in written], unit, atol=1e-6)


def test_a_failed_export_leaves_the_old_file(
    run: Run, pets: httpx.Client, url: str, tmp_path: Path, proxied: Callable[[str, Trouble], str]
) -> None:
    seen = 0

    def trouble(_: str, path: str) -> Wrong | None:
        nonlocal seen
        seen += path.endswith("/scroll")
        return "gone" if seen > 1 else None

    (tmp_path / "a.csv").write_text("old")
    pets.put("/collections/pets/points", json={"points": [{"id": n, "text": "t"} for n in range(100, 350)]})
    pets.put("/collections/pets/points", json={"points": [{"id": n, "text": "t"} for n in range(350, 400)]})
    between = proxied(url, trouble)
    run("export", "-c", "pets", "--url", between, "-o", tmp_path / "a.csv", "--with-vector", exits=1)
    assert seen == 2
    assert (tmp_path / "a.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_standard_output(pets: httpx.Client, url: str) -> None:
    call = mcse("export", "-c", "pets", "--url", url, "-o", "-", "--format", "csv")
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("id,text,metadata\n1,")
    assert "4 points to -" in done.stderr


def test_an_unknown_format_is_told(run: Run, url: str) -> None:
    assert "or give --format" in run("export", "-c", "pets", "--url", url, "-o", "a.xlsx", exits=1).stderr
