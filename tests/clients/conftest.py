"""Servers for the clients of others: as a stranger starts it, and one that is full for as long as a test wants."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.servers import SERVICE, BusyServer, Server, started

HERE = Path(__file__).parent

# None of them is to call home, nor to find an address or a key of somebody's in the environment.
os.environ.update(HAYSTACK_TELEMETRY_ENABLED="False", DO_NOT_TRACK="1", LANGSMITH_TRACING="false")
for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "CO_API_URL", "CO_API_KEY", "OLLAMA_HOST", "HF_TOKEN"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped checkpoint with nothing but defaults."""
    folder = tmp_path_factory.mktemp("server")
    with started(folder, *SERVICE, "--data-dir", str(folder / "data")) as url:
        yield Server(url)


@pytest.fixture(scope="session")
def _busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusyServer]:
    folder = tmp_path_factory.mktemp("busy")
    held = folder / "held"
    with started(folder, "-m", "tests.clients.busy_server", str(held), str(folder / "data")) as url:
        yield BusyServer(url, held)


@pytest.fixture
def busy_server(_busy_server: BusyServer) -> BusyServer:
    """A stub with room for one text; it is free when a test begins."""
    _busy_server.held.unlink(missing_ok=True)
    return _busy_server


@pytest.fixture
def may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE, which the other tests want, forbids huggingface_hub to call this machine as well."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What other people's clients warn of, and the connections that they leave open, are not ours to fail for."""
    for item in items:
        if item.path.is_relative_to(HERE):
            for category in ("DeprecationWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


@pytest.fixture(scope="module")
def leftovers_end_here() -> Iterator[None]:
    """Clients that nobody closed let go of their connections, and not in the tests of somebody else."""
    yield
    gc.collect()
