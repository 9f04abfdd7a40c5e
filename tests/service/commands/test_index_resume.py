import json
import random
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

Lines = Callable[..., Path]
Proxied = Callable[[str, Trouble], str]


def many(count: int) -> list[dict[str, Any]]:
    """Some without an id, some that come again with another text, some wrong."""
    return [
        {"text": f"sentence {n}", "n": n, **({"id": n % 150} if n % 3 else {})} if n % 40 else {"text": n}
        for n in range(count)
    ]


def killed(call: list[str], after: Callable[[], bool]) -> bool:
    """Run it and kill it once `after` says so; tells whether it was killed before its end."""
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while process.poll() is None and not after():
            time.sleep(0.005)
        process.kill()
    finally:
        _, stderr = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), stderr
    return process.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("on_conflict", ["replace", "error"])
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
    start: Callable[..., httpx.Client], lines: Lines, run: Run, tmp_path: Path, on_conflict: str
) -> None:
    server = start()
    runtime = server.app.state.services.encoder  # type: ignore[attr-defined]
    path, rejected = lines(many(1200)), tmp_path / "rejected.jsonl"
    common = ("index", path, "--url", server.base_url, "--batch", 16, "--on-conflict", on_conflict)
    whole = run(*common, "-c", "whole", "--rejected", tmp_path / "whole.jsonl", "--json")
    runtime.seconds = 0.03
    call = mcse(*common, "-c", "pets", "--state", tmp_path / "state", "--rejected", rejected)
    random.seed(5)
    kills, count = 0, 0

    def grown() -> bool:
        answer = server.post("/collections/pets/count", json={})
        return answer.status_code == 200 and answer.json()["count"] >= count

    while True:
        count += random.randint(1, 200)
        if not killed(call if not kills else [*call, "--resume"], grown):
            break
        kills += 1
        count = server.post("/collections/pets/count", json={}).json()["count"]
        assert (tmp_path / "state").exists()
    assert kills >= 3
    assert not (tmp_path / "state").exists()
    runtime.seconds = 0
    by_id = [{point["id"]: point for point in points_of(server, name, with_vector=True)} for name in ("whole", "pets")]
    assert by_id[0] == by_id[1]
    assert rejected.read_text() == (tmp_path / "whole.jsonl").read_text()
    assert json.loads(whole.stdout)["rejected"] == len(rejected.read_text().splitlines())


@pytest.mark.parametrize("wrong", ["busy", "down", "cut", "lost"])
@pytest.mark.parametrize("on_conflict", ["replace", "skip", "error"])
def test_trouble_on_the_way_changes_nothing(
    run: Run, url: str, client: httpx.Client, lines: Lines, proxied: Proxied, wrong: Wrong, on_conflict: str
) -> None:
    random.seed(3)
    points = [{"id": n, "text": f"sentence {n}"} for n in range(100)]
    between = proxied(url, lambda *_: wrong if random.random() < 0.3 else None)
    run("index", lines(points), "-c", "pets", "--url", between, "--batch", 10, "--on-conflict", on_conflict)
    assert sorted((point["id"], point["text"]) for point in points_of(client, "pets")) == [
        (point["id"], point["text"]) for point in points
    ]


def test_what_this_run_wrote_itself_is_no_conflict(
    run: Run, url: str, lines: Lines, proxied: Proxied, client: httpx.Client
) -> None:
    lost = iter([True])
    between = proxied(
        url, lambda method, path: "lost" if method == "PUT" and "points" in path and next(lost, False) else None
    )
    path = lines([{"id": n, "text": f"sentence {n}", "year": n} for n in range(20)])
    client.put("/collections/pets", json={})
    client.put("/collections/pets/points", json={"points": [{"id": 7, "text": "another"}]})
    result = run("index", path, "-c", "pets", "--url", between, "--on-conflict", "error", "--json")
    counts = json.loads(result.stdout)
    assert (counts["written"], counts["rejected"]) == (19, 1)
    assert counts["examples"][0]["line"] == 8


def test_a_run_that_failed_goes_on_where_it_was(
    run: Run, url: str, client: httpx.Client, lines: Lines, proxied: Proxied, tmp_path: Path
) -> None:
    seen = 0

    def trouble(method: str, path: str) -> Wrong | None:
        nonlocal seen
        write = method == "PUT" and path.endswith("/points")
        seen += write
        return "gone" if write and seen == 4 else None

    between = proxied(url, trouble)
    path = lines([{"id": n, "text": f"sentence {n}"} for n in range(100)])
    call = ("index", path, "-c", "pets", "--url", between, "--batch", 10)
    failed = run(*call, exits=1)
    assert "The service answers 404: gone" in failed.stderr
    assert "--resume" in failed.stderr
    there = client.post("/collections/pets/count", json={}).json()["count"]
    assert 20 <= there < 100
    result = run(*call, "--resume")
    assert "100 read, 100 written" in result.stdout
    assert seen <= 4 + 9
    assert len(points_of(client, "pets")) == 100


def test_only_the_same_run_goes_on(run: Run, url: str, lines: Lines, tmp_path: Path, proxied: Proxied) -> None:
    between = proxied(url, lambda method, path: "gone" if method == "PUT" and path.endswith("/points") else None)
    path, state = lines([{"id": 1, "text": "a"}]), tmp_path / "state"
    call = ("index", path, "--url", between, "--state", state)
    run(*call, "-c", "pets", exits=1)
    assert "had another collection." in run(*call, "-c", "other", "--resume", exits=1).stderr
    assert "had another options." in run(*call, "-c", "pets", "--resume", "--id-field", "key", exits=1).stderr
    path.write_text('{"id": 1, "text": "b"}\n')
    assert "had another files." in run(*call, "-c", "pets", "--resume", exits=1).stderr
    state.write_text("{}")
    assert "no state of a run" in run(*call, "-c", "pets", "--resume", exits=1).stderr


def test_several_files_go_on_in_the_one_that_was_cut_off(
    run: Run, url: str, client: httpx.Client, tmp_path: Path, proxied: Proxied
) -> None:
    broken = True
    files = []
    for name in ("a", "b", "c"):
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text("".join(f"{name} {n}\n" for n in range(30)))
    seen = 0

    def trouble(method: str, path: str) -> Wrong | None:
        nonlocal seen
        write = method == "PUT" and path.endswith("/points")
        seen += write
        return "gone" if broken and write and seen == 5 else None

    between = proxied(url, trouble)
    call = ("index", *files, "-c", "pets", "--url", between, "--batch", 10)
    run(*call, exits=1)
    broken, seen = False, 0
    assert "90 read, 90 written" in run(*call, "--resume").stdout
    assert seen <= 6
    assert len(points_of(client, "pets")) == 90


def test_a_state_that_cannot_be_written_is_told_before_anything_is(
    run: Run, url: str, client: httpx.Client, lines: Lines
) -> None:
    path = lines([{"text": "a"}])
    stderr = run("index", path, "-c", "pets", "--url", url, "--state", "/proc/none/state", exits=1).stderr
    assert "--state" in stderr
    assert client.post("/collections/pets/count", json={}).json()["count"] == 0


def test_ctrl_c_is_one_sentence(start: Callable[..., httpx.Client], lines: Lines) -> None:
    server = start()
    server.app.state.services.encoder.seconds = 0.05  # type: ignore[attr-defined]
    path = lines([{"id": n, "text": f"sentence {n}"} for n in range(2000)])
    call = mcse("index", path, "-c", "pets", "--url", server.base_url, "--batch", 4)
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while server.post("/collections/pets/count", json={}).json().get("count", 0) < 10:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr == "Stopped. What is acknowledged is written; the same call with --resume goes on.\n"
