"""Calls to the disk that fail: what was acknowledged stays, reads are right or refused, and writes work again later.

In SQLite's hands, one kind of call after the other (TEST_PLANS sets how many times), and in the system's, where strace
is there and may trace.
"""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.knobs import SEED, number, tell
from tests.faults.oracle import Oracle, require_same_points
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import note, writes
from tests.faults.writer import NAME, open_data

PLANS = number("TEST_PLANS", 6)
WRITES = 150
REPOSITORY = Path(__file__).parents[2]
INJECTIONS = (
    "fdatasync,fsync:error=EIO:when=30+3",
    "pwrite64:error=ENOSPC:when=400+7",
    "pwrite64:error=EIO:when=400+31",
    "pread64:error=EIO:when=200+5",
    "fsync:error=EIO:when=4+2",
    "rename,unlink:error=EROFS:when=3+1",
)

pytestmark = pytest.mark.timeout(3600)


def test_failing_calls_lose_nothing_and_are_survived(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.failing_disk", str(tmp_path), f"{SEED}", f"{PLANS}"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=3600)
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    tell(f"{PLANS} plans: {told}")
    assert told["failed calls"]
    assert told["write refused"]
    assert told["write done"] > told["write refused"]


def can_trace() -> bool:
    """Whether strace is there, and may."""
    strace = shutil.which("strace")
    return bool(strace) and subprocess.run([str(strace), "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
@pytest.mark.parametrize("injection", INJECTIONS)
def test_what_the_system_refuses_is_refused_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injection: str
) -> None:
    lower_thresholds(monkeypatch.setattr)
    calls = injection.partition(":")[0]
    trace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={calls}", "-e", f"inject={injection}"]
    careful = [sys.executable, "-m", "tests.faults.careful", str(tmp_path / "data"), f"{SEED}", f"{WRITES}", calls]
    process = subprocess.run([*trace, *careful], capture_output=True, text=True, cwd=REPOSITORY, timeout=600)
    assert process.returncode == 0, process.stderr
    acknowledged = set(json.loads(process.stdout))
    injected = (tmp_path / "trace").read_text().count("(INJECTED)")
    tell(f"{injection}: {injected} calls failed, {len(acknowledged)} of {WRITES} writes acknowledged, all there")
    assert injected
    oracle = Oracle("dot")
    for position, write in enumerate(islice(writes(f"{SEED}"), WRITES)):
        if position in acknowledged:
            note(write, oracle)
    with closing(open_data(tmp_path / "data", tended=False)) as collections:
        page = collections.get(NAME).scroll(limit=10**6).points
        require_same_points(page, [*oracle.points], oracle)
        assert collections.verify() == []
