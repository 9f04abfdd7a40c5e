import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from training.cli import app


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "training", "features", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_tells_what_it_made_and_what_it_skipped(pictures: Path, tiny_resnet: Path, tmp_path: Path) -> None:
    (pictures / "bad.jpg").write_text("no picture")
    arguments = (pictures, "--encoder", tiny_resnet, "--output", tmp_path / "f.npz", "--dtype", "float16")
    done = run(*arguments)
    told = " ".join(done.stderr.split())
    assert done.returncode == 0, done.stderr
    assert "12 x 16 features (pooler_output) in" in told
    assert "; 1 could not be read, see" in told
    again = run(*arguments)
    assert again.returncode == 0
    assert "nothing to do" in " ".join(again.stderr.split())


def test_what_cannot_work_is_told_in_one_sentence(pictures: Path, tiny_resnet: Path, tmp_path: Path) -> None:
    output = ("--output", tmp_path / "f.npz")
    for arguments in (
        (pictures, "--encoder", tmp_path / "none", *output),
        (tmp_path / "none", "--encoder", tiny_resnet, *output),
        (pictures, "--encoder", tiny_resnet, "--output", tmp_path / "f.txt"),
    ):
        done = CliRunner().invoke(app, ["features", *map(str, arguments)])
        assert done.exit_code == 1
        (line,) = [line for line in done.output.splitlines() if line.startswith("Error: ")]
        assert str(tmp_path) in line
