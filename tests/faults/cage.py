"""A process that opens what nobody should trust: with little memory, little time and no room to write.

Each call runs in a fork of one process that has imported everything already, so that it takes milliseconds and what it
does to itself is forgotten.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMORY_MB = 1024
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call."""

    told: str
    """The message of a named error; empty where there was none"""
    answer: str
    """What the call returned"""
    fell: str
    """The traceback of any other error, or the signal that ended it; empty where there was neither"""
    grown_mb: int
    """How much more memory than before was resident at one time"""
    seconds: float


class Cage:
    """See the module. `doors` are the functions of `tests.faults.doors` by name."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(
        self, door: str, path: Path, *, memory_mb: int = MEMORY_MB, seconds: int = SECONDS, writes: bool = False
    ) -> Outcome:
        """Call a door with a path. `writes` lets it write files."""
        asked = {"door": door, "path": str(path), "memory_mb": memory_mb, "seconds": seconds, "writes": writes}
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the cage has no pipes")
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the cage itself has ended")
        return Outcome(**json.loads(line))


@contextmanager
def caged() -> Iterator[Cage]:
    """A cage, while the block runs."""
    limits = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.caged"],
        cwd=ROOT,
        env={**os.environ, **limits},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Cage(process)
    finally:
        process.communicate()


def require_refused(outcome: Outcome, *, grown_mb: int = 300) -> None:
    """It was refused by name, and not because memory ran out."""
    assert outcome.fell == "", outcome.fell
    assert outcome.told != "", f"it was let in: {outcome.answer}"
    assert len(outcome.told) < 1000
    assert not any(word in outcome.told.lower() for word in ("memory", "allocate")), outcome.told
    assert outcome.grown_mb <= grown_mb, outcome
