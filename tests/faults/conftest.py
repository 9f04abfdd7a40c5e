"""A cage for the evil files of all tests here, and a witness of code that ran.

There are hundreds of such files: each run opens one of TEST_EVIL of them, chosen by TEST_SEED; 1 opens all.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cage import Cage, caged
from tests.faults.knobs import SEED, number

ONE_OF = number("TEST_EVIL", 3)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the evil files that are not this run's."""
    left_out = [item for item in items if item.path.name.startswith("test_evil_") and not _is_chosen(item)]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def _is_chosen(item: pytest.Item) -> bool:
    return zlib.crc32(f"{SEED} {item.nodeid}".encode()) % ONE_OF == 0


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
