"""The service never calls anybody: in a network that has no way out it does all it does, and nothing tries to leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.knobs import tell

ROOT = Path(__file__).parents[2]
APART = ["unshare", "--map-root-user", "--net"]

pytestmark = pytest.mark.timeout(600)


def why_not() -> str | None:
    """Containers often forbid what makes a network of one's own."""
    try:
        done = subprocess.run([*APART, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unshare is not installed"
    return None if done.returncode == 0 else f"this system allows no network of one's own: {done.stderr.strip()}"


@pytest.mark.slow
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_a_whole_life_without_a_network_tries_to_reach_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [*APART, sys.executable, "-m", "tests.faults.offline_life", str(tmp_path / "data")],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["probe"] == 3, "an attempt to leave is not counted here"
    assert told["answers"]
    assert all(status in (200, 201) for status in told["answers"].values()), told["answers"]
    assert told["tried"] == 0
    assert told["status"] == 0
    tell(f"{len(told['answers'])} kinds of calls answered, {told['tried']} attempts to reach anybody")
