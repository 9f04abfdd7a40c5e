"""Start processes that serve, and ask them what their clients' answers are compared with."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("MCSE_TEST_PYTHON", sys.executable)
"""Where mcse is installed; the clients may be in an environment of their own."""

MODEL = "mcse-minilm-l6"
SERVICE = ("-m", "service", "--port", "0")
PATIENCE_S = 30.0

Vectors = NDArray[np.float32]


@contextmanager
def started(folder: Path, *arguments: str, **settings: str) -> Iterator[str]:
    """The address of a process of this Python with these arguments and settings, and with its log in `folder`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MCSE_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, *arguments],
            cwd=ROOT,
            env={**environment, **settings, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        yield _address(process, folder / "log")
    finally:
        process.terminate()
        process.wait(timeout=60)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The URL of the line that says the service is ready."""
    for _ in range(1200):
        for line in log.read_text().splitlines():
            if "ready" in line and "http://" in line:
                return "http://" + line.split("http://")[1].split('"')[0].split()[0].rstrip("/")
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"not ready in two minutes: {log.read_text()}")


@dataclass(frozen=True)
class Server:
    """A service, as its native routes know it."""

    url: str

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, timeout=PATIENCE_S)

    def post_as_written(self, path: str, body: str) -> httpx.Response:
        """As `curl --json` sends it."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        return httpx.post(f"{self.url}{path}", content=body, headers=headers, timeout=PATIENCE_S)

    def embed(self, texts: Sequence[str], **fields: Any) -> Vectors:
        """(len(texts), width), what every client is to answer with."""
        answer = self.post("/embed", {"inputs": list(texts), **fields})
        assert answer.status_code == 200, answer.text
        return np.array(answer.json(), dtype=np.float32)

    def tokens(self, text: str) -> list[int]:
        answer = self.post("/tokenize", {"inputs": text})
        assert answer.status_code == 200, answer.text
        return [token["id"] for token in answer.json()[0]]


@dataclass(frozen=True)
class BusyServer(Server):
    """One that has room for one text, and takes as long for it as a file is there."""

    held: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Refuses everybody."""
        self.held.touch()
        filler = threading.Thread(target=self.embed, args=(["the text that fills it"],))
        filler.start()
        try:
            self._wait_until("mcse_pending_items", 1)
            yield
        finally:
            self.held.unlink(missing_ok=True)
            filler.join()
            self._wait_until("mcse_pending_items", 0)

    @contextmanager
    def full_once(self) -> Iterator[None]:
        """Refuses whoever comes first, then has room; fails if nobody was refused."""
        refused = self.refused()
        with self.full():
            watcher = threading.Thread(target=self._let_go_after, args=(refused,))
            watcher.start()
            yield
        watcher.join()
        assert self.refused() > refused, "the client was never refused"

    def refused(self) -> float:
        """Requests that got a 429 until now."""
        return self._metric('mcse_refused_total{reason="overloaded"}')

    def _let_go_after(self, refused: float) -> None:
        while self.held.exists() and self.refused() == refused:
            time.sleep(0.02)
        self.held.unlink(missing_ok=True)

    def _wait_until(self, metric: str, value: float) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._metric(metric) != value:
            assert time.monotonic() < deadline, f"{metric} did not become {value}"
            time.sleep(0.02)

    def _metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics", timeout=PATIENCE_S).text.splitlines()
        (value,) = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"{name} ")]
        return float(value)
