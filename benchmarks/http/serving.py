"""Servers that compute nothing, each in a process of its own."""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.servers import free_port, listening

Serve = Callable[[int, int], None]
"""Called in the new process with the port and the width of the vectors; does not come back."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pause(self) -> None:
        """Stop it, so that its idle threads take nothing from the others."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def running(serve: Serve, dimension: int) -> Iterator[Server]:
    """Start a server on a free port and wait until it answers.

    Raises:
        RuntimeError: it ended before.
    """
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port, dimension))
    process.start()
    server = Server(process.pid or 0, port)
    try:
        while not listening(port):
            if not process.is_alive():
                raise RuntimeError(f"the server of {serve.__name__} did not start")
            time.sleep(0.05)
        yield server
    finally:
        if process.is_alive():
            server.resume()  # a stopped one does not end
        process.terminate()
        process.join()


def serve_ours(port: int, dimension: int) -> None:
    """The service as it is served, log lines into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    from benchmarks.http.stub import Model, Nothing
    from service.app import create_app
    from service.server import serve_app
    from service.settings import Settings

    with tempfile.TemporaryDirectory() as data_dir:
        settings = Settings(port=port, data_dir=Path(data_dir), threads=1)
        app = create_app(settings, checkpoint=Model(dimension), runtime=Nothing(dimension))
        serve_app(app, settings, time.monotonic())


def serve_bare(port: int, dimension: int) -> None:
    """As few lines of FastAPI as there can be, with the same numbers from a list of Python's floats."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    from benchmarks.http.stub import Nothing

    class Body(BaseModel):
        inputs: list[str]

    app = FastAPI()
    row = [float(str(number)) for number in Nothing(dimension).vector]

    @app.post("/embed")
    async def embed(body: Body) -> list[list[float]]:
        return [row] * len(body.inputs)

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)
