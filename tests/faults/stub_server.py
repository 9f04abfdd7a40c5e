"""The real service in a process of its own, with the stub model: `python -m tests.faults.stub_server SECONDS JSON`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
START_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class StubServer:
    """A running one; `log` is the file of all that it writes."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def port(self) -> int:
        """Wait until it is ready."""
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            for line in self.log.read_text().splitlines():
                if '"event": "ready"' in line or '"event":"ready"' in line:
                    return int(json.loads(line)["url"].rpartition(":")[2])
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError("the service was not ready in time")

    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextmanager
def stub_server(directory: Path, *, encode_s: float = 0.0, **settings: Any) -> Iterator[StubServer]:
    """Start one, with `encode_s` seconds for each batch; it is killed at the end where it still runs."""
    log = directory / "service.log"
    given = {"port": 0, "threads": 1, "max_batch_tokens": 4096, "data_dir": str(directory / "data"), **settings}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stub_server", str(encode_s), json.dumps(given)],
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
        )
    try:
        yield StubServer(process, log)
    finally:
        process.kill()
        process.wait()


def main(encode_s: str, given: str) -> None:
    """What runs in the process."""
    from service.app import create_app
    from service.server import serve_app
    from service.settings import Settings
    from tests.service.conftest import StubCheckpoint, StubEncoder

    encoder = StubEncoder()
    encoder.seconds = float(encode_s)
    settings = Settings(**json.loads(given))
    serve_app(create_app(settings, checkpoint=StubCheckpoint(), runtime=encoder), settings, time.monotonic())


if __name__ == "__main__":
    main(*sys.argv[1:])
