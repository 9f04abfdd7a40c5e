"""Every benchmark that a page shows is one that there is, with options that it takes."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SHOWN = re.compile(r"^\$ python -m (benchmarks\.\S+)(.*)$", re.M)


def documented() -> list[tuple[str, str]]:
    return sorted({shown for page in PAGES for shown in SHOWN.findall(page.read_text(encoding="utf-8"))})


def app_of(module: str) -> typer.Typer:
    if (ROOT / module.replace(".", "/")).is_dir():
        found: typer.Typer = import_module(f"{module}.__main__").app
        return found
    app = typer.Typer()
    app.command()(import_module(module).main)
    return app


@pytest.mark.parametrize(("module", "arguments"), documented())
def test_a_documented_benchmark_is_taken(module: str, arguments: str) -> None:
    command = typer.main.get_command(app_of(module))
    given = shlex.split(arguments, comments=True)
    below = getattr(command, "commands", {})
    if below:
        command, given = below[given[0]], given[1:]
    command.make_context(module, given)
    for argument in given:
        assert not argument.startswith(("models/", "configs/")) or (ROOT / argument).is_dir()


def test_benchmarks_are_documented() -> None:
    assert {"benchmarks.peers", "benchmarks.serving"} <= {module for module, _ in documented()}
