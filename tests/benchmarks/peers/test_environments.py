import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.peers import environments
from benchmarks.peers.environments import REQUIREMENTS, cache, python_of

QUIET = Console(quiet=True)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda file: file.stem)
def test_every_package_is_pinned_and_torch_is_the_projects_own(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[\w.\-]+==[\w.]+", line) for line in lines)
    torch = [line for line in lines if line.startswith("torch==")]
    assert not torch or torch[0] in (ROOT / "requirements-torch.txt").read_text()


def test_an_environment_is_made_once_and_again_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nothing.txt").write_text("# no packages\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    monkeypatch.setenv("MCSE_CACHE", str(tmp_path / "cache"))
    first = python_of("nothing", QUIET)
    made = (first.parents[1] / "ready").stat().st_mtime_ns
    assert first.is_file()
    assert python_of("nothing", QUIET) == first
    assert (first.parents[1] / "ready").stat().st_mtime_ns == made
    (tmp_path / "nothing.txt").write_text("# still none\n")
    assert python_of("nothing", QUIET) != first


def test_what_pip_cannot_install_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.txt").write_text(f"{tmp_path}/is-no-package\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    monkeypatch.setenv("MCSE_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"wrong\.txt: pip could not install it"):
            python_of("wrong", QUIET)


def test_the_cache_is_outside_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCSE_CACHE")
    assert not cache().is_relative_to(ROOT)
    monkeypatch.setenv("MCSE_CACHE", "/elsewhere")
    assert cache() == Path("/elsewhere/bench")
    assert sys.prefix != str(cache())
