"""The service does the same where Python leaves every `assert` out, those of the libraries too: FAISS checks shapes so.

TEST_OPTIMIZED names the tests that are run so, with spaces between: `TEST_OPTIMIZED=tests/service` is all of them. That
our own code has no `assert` is shown in tests/contracts/test_banned.py, always.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.knobs import tell

ROOT = Path(__file__).parents[2]
CHOSEN = os.environ.get("TEST_OPTIMIZED", "").split()

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.slow
@pytest.mark.skipif(not CHOSEN, reason="set TEST_OPTIMIZED=tests/service to run the tests of the service so")
def test_the_tests_of_the_service_pass_without_asserts() -> None:
    """pytest turns those of the tests themselves into other statements, and warns of all others."""
    warned = ["-W", "ignore::pytest.PytestConfigWarning"]
    done = subprocess.run(
        [sys.executable, "-O", "-m", "pytest", "-q", "-rf", "--tb=line", "-p", "no:cacheprovider", *warned, *CHOSEN],
        cwd=ROOT,
        env={**os.environ, "PYTHONOPTIMIZE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    tell(f"{passed[1]} tests passed without asserts")


def test_a_test_fails_without_asserts_too(tmp_path: Path) -> None:
    """Otherwise nothing would be shown above."""
    (tmp_path / "test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    command = [sys.executable, "-O", "-m", "pytest", "-q", "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
