import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["contamination", *map(str, arguments)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nbase = "x"\n[data]\ncaptions = "captions.txt"\n[objective]\nframework = "simcse"\n')
    return path


def test_the_captions_of_a_run_are_found_in_the_sets(world: Path, config: Path) -> None:
    counts = json.loads(run(config, "--data", world, "--json").stdout)
    assert counts["STSB"]["items"] == 60
    assert 0 < counts["STSB"]["shared"] <= 60
    table = run(config, "--data", world)
    assert table.exit_code == 0, table.stderr
    assert f"{counts['STSB']['shared']}" in table.stdout
    assert "SICKR" in table.stdout


def test_a_config_that_is_not_there_is_told_in_one_sentence(world: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "none.toml", "--data", world)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert isinstance(done.exception, SystemExit)  # and not an error that nobody told
