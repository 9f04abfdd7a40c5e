"""What docs/clients.md shows is run, and its table names the versions that are tested."""

import re
import shlex
import warnings
from typing import Any

import numpy as np
import pytest

from tests.clients.installed import client
from tests.clients.servers import ROOT, Server

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
WRITTEN = "http://127.0.0.1:8080"
FIRST, *SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"```console\n\$ (.*?)```", PAGE, flags=re.DOTALL)
ROW = re.compile(r"^\| \[`([\w-]+)`\]\(#\w+\) \| ([\d., and]+) \|", re.M)
LOCKS = ("requirements-dev.lock", "requirements-clients.lock")


def imported(code: str) -> list[str]:
    return re.findall(r"^(?:import|from) ([\w.]+)", code, flags=re.M)


def locked(package: str) -> set[str]:
    """The versions of a package in the locks."""
    pattern = re.compile(rf"^{re.escape(package)}==([\w.]+)", re.M)
    texts = [(ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS]
    return {version for text in texts for version in pattern.findall(text)}


@pytest.mark.usefixtures("may_call", "leftovers_end_here")
@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: imported(code)[-1])
def test_a_snippet_has_the_vectors_of_the_native_route(server: Server, code: str) -> None:
    for module in imported(code):
        client(module)
    assert WRITTEN in code
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(FIRST + code.replace(WRITTEN, server.url), names)  # noqa: S102 - it is our own page
    np.testing.assert_allclose(names["vectors"], server.embed(names["texts"]), atol=1e-7)


@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: imported(code)[-1])
def test_a_snippet_has_at_most_five_lines_of_code(code: str) -> None:
    assert len([line for line in code.splitlines() if line.strip()]) <= 5


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2].removeprefix(WRITTEN))
def test_a_request_is_answered(server: Server, command: str) -> None:
    _, _, address, flag, body = shlex.split(command)
    assert flag == "--json"
    assert address.startswith(WRITTEN)
    answer = server.post_as_written(address.removeprefix(WRITTEN), body)
    assert answer.status_code == 200, answer.text
    native = server.post("/embed", {"inputs": "A dog runs on the beach."}).text
    assert native.strip("[]") in answer.text


def test_the_table_names_the_versions_that_are_locked() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) == 13
    for package, versions in rows:
        assert set(versions.split(" and ")) == locked(package.replace("_", "-")), package
