"""Serve a stub with room for one text, whose encoder waits while a file is there: `busy_server FILE DATA_DIR`."""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.settings import Settings
from tests.service.conftest import StubCheckpoint, StubEncoder, served


class HeldEncoder(StubEncoder):
    """Computes nothing while the file is there."""

    def __init__(self, held: Path) -> None:
        super().__init__()
        self._held = held

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        while self._held.exists():
            time.sleep(0.005)
        return super().encode(batch)


def main(held: str, data_dir: str) -> None:
    """Serve until the process is ended."""
    settings = Settings(
        data_dir=Path(data_dir),
        threads=1,
        max_batch_tokens=4096,
        max_items=1,
        max_points_per_request=1,
        max_pending=1,
    )
    with served(settings, StubCheckpoint(), HeldEncoder(Path(held))) as client:
        sys.stdout.write(f"ready at {client.base_url}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
