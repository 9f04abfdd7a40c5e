import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_evaluate_prints_json_with_the_pooling_and_its_reason(world: Path, tiny_bundle: Path) -> None:
    done = run("evaluate", tiny_bundle, "--data", world, "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert (scores["pooling"], scores["pooling_reason"]) == ("mean", "mcse.json says so")
    assert abs(scores["sts_average"] - sum(scores["sts"].values()) / 7) < 1e-9


def test_evaluate_prints_a_table_and_takes_another_pooling(world: Path, tiny_bundle: Path) -> None:
    done = run("evaluate", tiny_bundle, "--data", world, "--pooling", "cls")
    assert done.returncode == 0, done.stderr
    assert "cls pooling (asked for by the caller)" in " ".join(done.stdout.split())
    assert "STS12" in done.stdout
    assert "average" in done.stdout


def test_what_cannot_work_is_told_in_one_sentence(world: Path, tmp_path: Path) -> None:
    for arguments in (("evaluate", tmp_path), ("train", tmp_path / "no.toml")):
        done = run(*arguments, "--data", world)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert "Traceback" not in done.stderr


def test_an_unknown_pooling_is_refused() -> None:
    done = run("evaluate", "x", "--pooling", "max")
    assert done.returncode == 2
    assert "max" in done.stderr
