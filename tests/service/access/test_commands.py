"""The commands against a service that asks for a key."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from mcse import app
from service.access.keys import SENT_KEY, SENT_KEY_OF_SOURCE
from service.commands.client import Client
from service.commands.errors import CommandError
from tests.service.access.conftest import ADMIN, KEYS, READ, WRITE
from tests.service.conftest import StubEncoder

Start = Callable[..., httpx.Client]
WRONG = "wrong-key-0123456789"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The server is in this process; what it logs is no output of the command."""
    with capture_logs():
        yield


def run(*words: object, **environment: str) -> Result:
    """Call `mcse` with these words, in an environment that has no key but those given."""
    keys: dict[str, Any] = {SENT_KEY: None, SENT_KEY_OF_SOURCE: None}
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", **keys, **environment})


def address(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "points.jsonl"
    path.write_text('{"id": 1, "text": "a dog"}\n{"id": 2, "text": "a cat"}\n')
    return path


def test_the_key_of_the_environment_is_sent(start: Start, lines: Path) -> None:
    url = address(start(api_keys=KEYS))
    done = run("index", lines, "--collection", "pets", "--url", url, **{SENT_KEY: WRITE})
    assert done.exit_code == 0, done.output
    found = run("search", "a dog", "--collection", "pets", "--url", url, **{SENT_KEY: f" {READ}\n"})
    assert "a dog" in found.output


def test_without_the_right_key_the_cure_is_told_and_not_the_key(start: Start) -> None:
    url = address(start(api_keys=KEYS))
    for environment in ({}, {SENT_KEY: WRONG}):
        done = run("collections", "--url", url, **environment)
        assert done.exit_code == 1
        assert "The service answers 401" in done.output
        assert "Set it in MCSE_API_KEY." in done.output
        assert WRONG not in done.output


def test_a_role_that_does_not_go_so_far_is_told(start: Start, lines: Path) -> None:
    url = address(start(api_keys=KEYS))
    done = run("index", lines, "--collection", "pets", "--url", url, **{SENT_KEY: READ})
    assert done.exit_code == 1
    assert "403: This needs a key of the role write; yours has the role read." in done.output


@pytest.mark.parametrize("key", ["with space 0123456789", "k\nx-evil: 1", "schlüssel-0123456789"])
def test_what_no_header_can_hold_is_told_without_it(client: httpx.Client, key: str) -> None:
    done = run("collections", "--url", address(client), **{SENT_KEY: key})
    assert done.exit_code == 1
    assert "MCSE_API_KEY is no API key" in done.output
    assert key not in done.output


def test_two_services_may_have_two_keys(start: Start, lines: Path, tmp_path: Path, encoder: StubEncoder) -> None:
    source = start(api_keys=KEYS, data_dir=tmp_path / "source")
    target = start(api_keys=f"admin:other:{ADMIN}-of-the-target", data_dir=tmp_path / "target")
    run("index", lines, "--collection", "pets", "--url", address(source), **{SENT_KEY: WRITE})
    words = ("migrate", "--from", address(source), "--to", address(target), "--collection", "pets")
    state = ("--state", tmp_path / "state.json")
    keys = {SENT_KEY: f"{ADMIN}-of-the-target", SENT_KEY_OF_SOURCE: READ}
    done = run(*words, *state, **keys)
    assert done.exit_code == 0, done.output
    assert "2 points are at" in done.output


def test_no_command_has_a_flag_for_a_key() -> None:
    for command in ("index", "search", "export", "collections", "reindex", "migrate"):
        shown = run(command, "--help").output
        assert "--api-key" not in shown
        assert "MCSE_API_KEY" in shown


def test_a_client_keeps_its_key_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SENT_KEY, WRITE)
    client = Client("http://127.0.0.1:1", patience=0)
    with pytest.raises(CommandError) as caught:
        client.call("GET", "/info")
    assert WRITE not in f"{caught.value} {client!r}"
