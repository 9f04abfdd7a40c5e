"""When the disk is full, writes say so, reads go on, nothing acknowledged is lost, and writes work again later."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
WRITES = (
    "upsert",
    "delete",
    "set metadata",
    "create",
    "alias",
    "drop",
    "restore",
    "restore in its place",
    "snapshot",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says that met a full disk; it has compared all it read with what was acknowledged."""
    command = [sys.executable, "-m", "tests.faults.full_disk", str(tmp_path_factory.mktemp("full"))]
    process = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def test_writes_are_acknowledged_until_the_disk_is_full(told: dict[str, Any]) -> None:
    assert told["acknowledged"] > 10


@pytest.mark.parametrize("what", WRITES)
def test_a_write_that_has_no_room_says_so(told: dict[str, Any], what: str) -> None:
    assert told[what].startswith("StorageFull: The disk has no room for this ")


def test_what_had_no_room_leaves_nothing_behind(told: dict[str, Any]) -> None:
    assert (told["collections"], told["aliases"], told["snapshots"]) == (["kept"], {}, [True])
    assert (told["files"], told["indexes"]) == ([], [])


def test_an_index_that_cannot_be_kept_costs_nothing(told: dict[str, Any]) -> None:
    assert told["tend"] == "done"


def test_health_tells_of_it_until_there_is_room(told: dict[str, Any]) -> None:
    assert (told["failing"], told["failing later"], told["failing at last"]) == (["writable"], [], [])


def test_everything_works_again_without_a_restart(told: dict[str, Any]) -> None:
    assert (told["snapshot later"], told["restore later"]) == ("done", "done")
    assert told["indexes later"]
    assert told["index believed"]
