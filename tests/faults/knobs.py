"""How long the tests here run and with which seed, from the environment; and what they say of their runs."""

import os
import sys

SEED = int(os.environ.get("TEST_SEED", "1"))


def number(name: str, otherwise: int) -> int:
    """How many there should be of something."""
    return int(os.environ.get(name, otherwise))


def tell(text: str) -> None:
    """Shown with -s, and where the test fails."""
    sys.stdout.write(f"seed {SEED}: {text}\n")
