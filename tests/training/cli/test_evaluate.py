import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def told(done: Result) -> str:
    """What a failed command said, in one line."""
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)  # and not an error that nobody told
    return " ".join(done.stderr.split())


def test_scores_are_written_and_others_are_laid_beside_them(world: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    first = run(tiny_bundle, "--data", world, "--output", tmp_path / "one", "--tasks", "sts")
    assert first.exit_code == 0, first.stderr
    written = json.loads((tmp_path / "one" / "scores.json").read_text())
    assert written["pooling"] == "mean"
    assert len(written["sts"]) == 7
    assert (tmp_path / "one" / "scores.svg").read_bytes().startswith(b"<?xml")
    second = run(tiny_bundle, "--data", world, "--pooling", "cls", "--against", tmp_path / "one", "--tasks", "sts")
    assert second.exit_code == 0, second.stderr
    assert f"{written['sts_average']:.2f}" in second.stdout
    assert "difference" in second.stdout


def test_subsets_are_printed_where_they_are_asked_for(world: Path, tiny_bundle: Path) -> None:
    done = run(tiny_bundle, "--data", world, "--subsets")
    assert done.exit_code == 0, done.stderr
    for part in ("weighted mean", "without captions", "alignment, batches", "STSB-dev"):
        assert part in done.stdout
    assert "weighted mean" not in run(tiny_bundle, "--data", world).stdout


def test_pitfall_15_the_pooling_is_what_the_checkpoint_says(world: Path, tiny_bundle: Path) -> None:
    done = run(tiny_bundle, "--data", world, "--json", "--tasks", "sts")
    cls = run(tiny_bundle, "--data", world, "--json", "--tasks", "sts", "--pooling", "cls")
    assert json.loads(done.stdout)["pooling"] == "mean"
    assert json.loads(done.stdout)["sts"] != json.loads(cls.stdout)["sts"]


def test_pitfall_15_a_part_of_the_tasks_makes_a_table_of_its_own(world: Path, tiny_bundle: Path) -> None:
    done = run(tiny_bundle, "--data", world, "--tasks", "geometry")
    assert done.exit_code == 0, done.stderr
    assert "uniformity" in done.stdout
    assert "Spearman" not in done.stdout


def test_what_retrieval_lacks_is_told(world: Path, tiny_base: Path) -> None:
    done = run(tiny_base, "--data", world)
    assert done.exit_code == 0, done.stderr
    assert "No retrieval: the model has no grounding and image heads." in " ".join(done.stderr.split())


def test_missing_data_is_told_before_the_model_is_opened(world: Path, tmp_path: Path) -> None:
    assert "no transfer tasks there" in told(run("no/such/model", "--data", world, "--tasks", "transfer"))
    assert "no STS data there" in told(run("no/such/model", "--data", tmp_path))
    assert "cannot be read" in told(run("no/such/model", "--data", world, "--against", tmp_path / "none.json"))


@pytest.mark.parametrize("tasks", ["", "sts,nothing"])
def test_an_unknown_task_is_refused_with_the_known_ones(tasks: str) -> None:
    done = run("x", "--tasks", tasks)
    assert done.exit_code == 2
    for task in ("sts", "retrieval", "geometry", "transfer", "all"):
        assert task in done.stderr
