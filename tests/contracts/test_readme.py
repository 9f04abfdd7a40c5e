"""Every call that the README shows is made, and answers as printed there."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
VARIES = {"took_ms", "ids", "id"}  # times, and ids that the service makes up


def calls() -> list[tuple[str, str]]:
    """(command, printed answer) of every console block with a curl in it, in order."""
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [split_command(part) for part in parts if part.startswith("curl")]


def split_command(part: str) -> tuple[str, str]:
    """A command ends with the line on which its quotes are closed; what follows is its answer."""
    lines = part.splitlines()
    for count in range(1, len(lines) + 1):
        command = "\n".join(lines[:count])
        if command.count("'") % 2 == 0:
            return command, "\n".join(lines[count:])
    raise AssertionError(f"an open quote in {part}")


def send(client: httpx.Client, command: str) -> httpx.Response:
    words = iter(shlex.split(command)[1:])
    method, body, path = None, None, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "--json":
            body = next(words)
        elif not word.startswith("-"):
            path = re.sub(r"^(http://)?127\.0\.0\.1:8080", "", word)
    headers = {"content-type": "application/json"}  # what curl --json sends
    return client.request(method or ("POST" if body else "GET"), path, content=body, headers=headers)


def assert_alike(found: Any, printed: Any, key: str = "") -> None:
    """Equal but for rounding, and for what differs from run to run; `...` ends a list that goes on."""
    if key in VARIES:
        return
    if isinstance(printed, float):
        assert found == pytest.approx(printed, abs=2e-3), key
    elif isinstance(printed, list):
        assert len(found) == len(printed)
        for one, other in zip(found, printed, strict=True):
            assert_alike(one, other, key)
    elif isinstance(printed, dict):
        assert found.keys() == printed.keys()
        for name in printed:
            assert_alike(found[name], printed[name], name)
    else:
        assert found == printed, key


def test_the_readme_shows_calls_for_all_four_jobs() -> None:
    paths = " ".join(command for command, _ in calls())
    assert all(path in paths for path in ("/embed", "/similarity", "/index", "/search"))


def test_every_call_answers_as_printed(shipped_server: httpx.Client) -> None:
    for command, printed in calls():
        answer = send(shipped_server, command)
        assert answer.is_success, (command, answer.text)
        assert_alike(answer.json(), json.loads(printed))


def test_it_is_at_most_150_lines_and_every_link_leads_somewhere() -> None:
    assert len(README.splitlines()) <= 150
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
            if not target.startswith(("http://", "https://")):
                assert (document.parent / target).exists(), (document.name, target)


def test_paths_named_in_the_readme_exist() -> None:
    for name in re.findall(r"`((?:service|training|models|tests|configs|docs|benchmarks)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
