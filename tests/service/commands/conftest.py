"""The command line as a user calls it, against a real server."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from mcse import app
from tests.service.commands.proxy import Trouble, proxy

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The server is in this process; what it logs is no output of the command."""
    with capture_logs():
        yield


@pytest.fixture
def proxied() -> Iterator[Callable[[str, Trouble], str]]:
    """Stand between a client and the server at an address; returns the address to call."""
    with ExitStack() as running:
        yield lambda url, trouble: running.enter_context(proxy(url, trouble))


@pytest.fixture
def url(client: httpx.Client) -> str:
    """Of the server that all tests share, which has no collections."""
    return str(client.base_url).rstrip("/")


@pytest.fixture
def run() -> Run:
    """Call `mcse` with these words; it must end with this exit status."""

    def call(*words: object, exits: int = 0, **given: Any) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"}, **given)
        assert result.exit_code == exits, f"{result.output}\n{result.stderr}\n{result.exception!r}"
        return result

    return call


REPOSITORY = Path(__file__).resolve().parents[3]


def mcse(*words: object) -> list[str]:
    """The words of the command for a process of its own."""
    return [sys.executable, str(REPOSITORY / "mcse.py"), *map(str, words)]


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Write objects as a file of JSONL."""

    def write(objects: list[dict[str, Any]], name: str = "points.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(fields) + "\n" for fields in objects))
        return path

    return write


def points_of(client: httpx.Client, name: str, *, with_vector: bool = False) -> list[dict[str, Any]]:
    """All points of a collection in the order of writing."""
    points: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.post(
            f"/collections/{name}/points/scroll", json={"limit": 100, "cursor": cursor, "with_vector": with_vector}
        ).json()
        points += page["points"]
        if (cursor := page["next_cursor"]) is None:
            return points
