"""The servers that are compared over HTTP: each a process of its own, stopped while it is not its turn."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.client import Job, Outcome, bodies, send
from benchmarks.peers.environments import python_of
from benchmarks.peers.worker import ROOT, environment

_START_WITHIN_S = 180


@dataclass(frozen=True, slots=True)
class Plan:
    """How to start a server and how to ask it."""

    environment: str | None
    """Of the peer; None is ours, which is this one."""
    command: tuple[str, ...]
    """After the interpreter; `{model}`, `{port}` and `{folder}` are filled in."""
    path: str
    key: str
    """Where the texts stand in a request."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else a request holds."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; `{model}` and `{threads}` are filled in."""


_UVICORN = ("--host", "127.0.0.1", "--port", "{port}", "--log-level", "error", "--no-access-log")
_SERVICE = ("--port", "{port}", "--model", "{model}", "--data-dir", "{folder}", "--log-level", "error")

PLANS: Mapping[str, Plan] = {
    "Infinity, torch engine": Plan(
        "infinity",
        (
            *("-m", "benchmarks.peers.ways.infinity", "v2", "--model-id", "{model}", "--engine", "torch"),
            *("--device", "cpu", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "error"),
        ),
        "/embeddings",
        "input",
        {"model": "default/not-specified"},
    ),
    "sentence-transformers in FastAPI": Plan(
        "sentence-transformers",
        ("-m", "uvicorn", "benchmarks.peers.ways.fastapi_app:app", *_UVICORN),
        "/embed",
        "inputs",
        settings={"SERVED_MODEL": "{model}"},
    ),
    "mcse": Plan(None, ("-m", "service", *_SERVICE), "/embed", "inputs", settings={"MCSE_THREADS": "{threads}"}),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    plan: Plan
    port: int
    pid: int
    start_s: float
    """From the start of the process until it accepted connections."""

    def ask(self, texts: Sequence[str], *, connections: int, size: int) -> Outcome:
        """Send all texts, `size` in each request, over so many connections.

        Raises:
            RuntimeError: a request was not answered with 200.
        """
        requests = bodies(texts, size, self.plan.key, dict(self.plan.more))
        return send(Job(self.port, self.plan.path, requests, connections))

    def pause(self) -> None:
        """Stop it, so that its idle threads take nothing from the others."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        os.killpg(self.pid, signal.SIGCONT)


@contextmanager
def running(plan: Plan, model: Path, threads: int, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a server and wait until it has answered a sentence.

    Args:
        plan: which.
        model: the checkpoint's directory.
        threads: it may use.
        settings: further environment variables.

    Raises:
        RuntimeError: it ended, or did not answer in time.
    """
    python = Path(sys.executable) if plan.environment is None else python_of(plan.environment, Console(stderr=True))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        filled = {"model": str(model), "port": str(port), "folder": folder, "threads": str(threads)}
        own = {name: value.format(**filled) for name, value in plan.settings.items()}
        began = time.monotonic()
        process = subprocess.Popen(
            [str(python), *(part.format(**filled) for part in plan.command)],
            cwd=ROOT,
            env={**environment(threads), **own, **(settings or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _await(process, plan, port)
            server = Server(plan, port, process.pid, time.monotonic() - began)
            server.ask(["A first sentence."], connections=1, size=1)
            yield server
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await(process: "subprocess.Popen[bytes]", plan: Plan, port: int) -> None:
    end = time.monotonic() + _START_WITHIN_S
    while not listening(port):
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(plan.command[:2])}: the server ended before it listened")
        if time.monotonic() > end:
            raise RuntimeError(f"{' '.join(plan.command[:2])}: it does not listen after {_START_WITHIN_S} s")
        time.sleep(0.02)


def listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
