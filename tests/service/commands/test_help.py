"""What a command says of itself."""

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer

from service.commands import app
from tests.service.commands.conftest import REPOSITORY, Run

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_these_are_the_commands() -> None:
    assert list(COMMANDS) == ["index", "search", "collections", "export", "reindex", "migrate", "embed"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_takes(run: Run, name: str) -> None:
    shown = " ".join(run(name, "--help").stdout.split())
    found = re.search(r"Example: mcse (.+?) ╭", shown)
    assert found is not None, shown
    called, *words = shlex.split(found[1])
    assert called == name
    COMMANDS[name].make_context(name, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    assert all(getattr(parameter, "help", "") for parameter in COMMANDS[name].params)


def test_help_waits_for_no_heavy_import() -> None:
    heavy = {"numpy", "orjson", "pyarrow", "fastapi", "torch", "http.client"}
    code = f"import sys, service.commands; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
