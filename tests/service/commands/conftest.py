"""The command line as a user calls it, against a real server."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from mcse import app
from service.settings import Settings
from tests.service.commands.proxy import Trouble, proxy
from tests.service.conftest import StubCheckpoint, StubEncoder, served

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


class OtherEncoder(StubEncoder):
    """Gives every text another vector than the first one does."""

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return super().encode([[0, *ids] for ids in batch])


@pytest.fixture
def two_without_text() -> None:
    """Asks `other_model` for two more points."""


@pytest.fixture
def other_model(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A server whose collection `pets` was written by another model than the one it runs."""
    settings = Settings(data_dir=tmp_path / "data", threads=1, max_batch_tokens=4096, max_hits=120)
    with served(settings, StubCheckpoint(), StubEncoder()) as client:
        client.put("/collections/pets", json={"metric": "dot", "index": "flat", "description": "Ours"})
        points = [{"id": n, "text": f"text {n}", "metadata": {"n": n}} for n in range(300)]
        for start in range(0, 300, 100):
            client.put("/collections/pets/points", json={"points": points[start : start + 100]})
        if "two_without_text" in request.fixturenames:
            bare = [{"id": point_id, "vector": [1.0] * 16} for point_id in ("bare", 900)]
            client.put("/collections/pets/points", json={"points": bare})
    with served(settings, StubCheckpoint(fingerprint="e" * 64), OtherEncoder()) as client:
        yield client


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
