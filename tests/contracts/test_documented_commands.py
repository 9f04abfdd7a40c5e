"""Every `mcse` command that a page shows is one that the program takes: name, options, files of this project."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from mcse import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(
    r"^\$ (?:[A-Z_]+=\S+ )*(?:torchrun .*?-m training|accelerate launch .*?-m training|mcse) (.+)$", re.M
)


def documented() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found += [(page.name, command) for command in SHOWN.findall(text)]
    return found


def take(arguments: list[str]) -> None:
    """Parse a command line as the program would, without running it."""
    command: Any = typer.main.get_command(app)
    name = "mcse"
    while below := getattr(command, "commands", None):
        name, *arguments = arguments
        command = below[name]
    command.make_context(name, arguments)


@pytest.mark.parametrize(("page", "command"), documented(), ids=lambda value: value[:60])
def test_a_documented_command_is_taken(page: str, command: str) -> None:
    arguments = shlex.split(command, comments=True)
    take(arguments)
    for argument in arguments:
        if argument.startswith("configs/"):
            assert (ROOT / argument).is_file(), f"{page}: {argument} is not there"


def test_what_does_not_exist_is_not_taken() -> None:
    with pytest.raises(Exception, match="No such option"):
        take(["train", "configs/flickr_minilm.toml", "--no-such-option"])
    with pytest.raises(KeyError):
        take(["no-such-command"])


def test_there_are_documented_commands_on_the_pages_of_training() -> None:
    assert {"README.md", "training.md", "evaluation.md", "reports.md", "data.md"} <= {page for page, _ in documented()}
