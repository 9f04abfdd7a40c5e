"""A cage for the evil files of all tests here, and a witness of code that ran."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cage import Cage, caged


class Runs:
    """Pickled, it runs a command where it is loaded."""

    def __init__(self, marker: Path) -> None:
        self._command = f"touch {marker}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self._command,)


@pytest.fixture(scope="session")
def cage() -> Iterator[Cage]:
    """One process for all tests of a worker."""
    with caged() as running:
        yield running


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """What must not run; the test fails where it did."""
    marker = tmp_path / "it-ran"
    yield Runs(marker)
    assert not marker.exists(), "code of a file was run"
