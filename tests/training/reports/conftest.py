"""Runs and sweeps in the tiny world, and run directories written by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainConfig
from training.evaluation.sts import STS_SETS
from training.progress import Display

Make = Callable[..., TrainConfig]


@pytest.fixture
def display() -> Display:
    return Display(quiet=True)


@pytest.fixture
def base_file(tiny_run: Make, tmp_path: Path) -> Callable[..., Path]:
    """Write the configuration of a tiny run as a TOML file."""

    def write(name: str = "tiny.toml", **changes: dict[str, Any]) -> Path:
        path = tmp_path / name
        path.write_text(toml(tiny_run(**changes).to_dict()))
        return path

    return write


@pytest.fixture
def sweep_file(base_file: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write a sweep file over the configuration of a tiny run."""

    def write(text: str, **changes: dict[str, Any]) -> Path:
        base_file(**changes)
        path = tmp_path / "sweep.toml"
        path.write_text(f'base = "tiny.toml"\n{text}')
        return path

    return write


@pytest.fixture
def finished_run(tiny_run: Make) -> Callable[..., Path]:
    """Write the directory of a finished run by hand, with scores that are told."""

    def write(path: Path, *, average: float = 70.0, config: Make = tiny_run, **scores: Any) -> Path:
        (path / "bundle").mkdir(parents=True)
        (path / "config.json").write_text(json.dumps(config().to_dict()))
        sts = {name: average for name in STS_SETS}
        (path / "scores.json").write_text(json.dumps({"sts": sts, "sts_average": average, **scores}))
        return path

    return write


def toml(tables: dict[str, Any]) -> str:
    """Unset settings are left out."""
    lines: list[str] = []
    for name, settings in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items() if value is not None]
    return "\n".join(lines) + "\n"
