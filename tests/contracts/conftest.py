"""The service as a stranger starts it: its own process, the shipped checkpoint, a free port."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shipped_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """With nothing but defaults: in the precision that suits this processor."""
    with _serving(tmp_path_factory.mktemp("shipped-server")) as client:
        yield client


@pytest.fixture(scope="session")
def exact_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """In float32, to be compared with training."""
    with _serving(tmp_path_factory.mktemp("exact-server"), "--precision", "float32") as client:
        yield client


@contextmanager
def _serving(folder: Path, *flags: str) -> Iterator[httpx.Client]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MCSE_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "--port", "0", "--data-dir", str(folder / "data"), *flags],
            cwd=ROOT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=_address(process, folder / "log"), timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=60)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The URL of the line that says the service is ready."""
    for _ in range(1200):
        for line in log.read_text().splitlines():
            if "ready" in line and "http://" in line:
                return "http://" + line.split("http://")[1].split('"')[0].split()[0]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"not ready in two minutes: {log.read_text()}")
