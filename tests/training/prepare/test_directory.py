import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.errors import DataError
from training.prepare.directory import RECORD, Prepared, Request, prepare

ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("content")
    return path


def write(folder: Path) -> dict[str, Any]:
    (folder / "data.txt").write_text("made")
    return {"lines": 1, "dropped": {}}


def never(folder: Path) -> dict[str, Any]:
    raise AssertionError("it was made again")


def request(source: Path, **options: Any) -> Request:
    return Request("kind", (("text", source),), {"seed": 0, **options})


def test_a_second_call_checks_and_does_nothing(source: Path, tmp_path: Path) -> None:
    assert prepare(tmp_path / "out", request(source), write) == Prepared({"lines": 1, "dropped": {}}, already=False)
    assert prepare(tmp_path / "out", request(source), never) == Prepared({"lines": 1, "dropped": {}}, already=True)


def test_the_same_source_at_another_place_is_the_same(source: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "out", request(source), write)
    moved = source.rename(tmp_path / "moved.txt")
    assert prepare(tmp_path / "out", request(moved), never).already


def test_files_that_were_put_beside_the_prepared_ones_do_no_harm(source: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "out", request(source), write)
    (tmp_path / "out" / "features.h5").write_text("mine")
    assert prepare(tmp_path / "out", request(source), never).already


@pytest.mark.parametrize("change", ["source", "options"])
def test_a_folder_made_from_something_else_is_left_alone(source: Path, tmp_path: Path, change: str) -> None:
    prepare(tmp_path / "out", request(source), write)
    if change == "source":
        source.write_text("other content")
    wanted = request(source, **({"seed": 1} if change == "options" else {}))
    with pytest.raises(DataError, match=rf"out: it is there already, and prepared\.json names other {change}"):
        prepare(tmp_path / "out", wanted, never)
    assert (tmp_path / "out" / "data.txt").read_text() == "made"


def test_a_folder_of_the_users_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"out: it is there already, without a readable prepared\.json"):
        prepare(tmp_path / "out", request(source), never)
    with pytest.raises(DataError, match="it is there already"):
        prepare(source, request(source), never)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


def test_an_empty_folder_is_filled(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert not prepare(tmp_path / "out", request(source), write).already
    assert (tmp_path / "out" / RECORD).exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("cut")], ids=["missing", "changed"])
def test_a_damaged_folder_is_named(source: Path, tmp_path: Path, damage: Any) -> None:
    prepare(tmp_path / "out", request(source), write)
    damage(tmp_path / "out" / "data.txt")
    with pytest.raises(DataError, match=r"data\.txt: it is not as it was prepared"):
        prepare(tmp_path / "out", request(source), never)


def test_a_source_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: there is no such file or folder"):
        prepare(tmp_path / "out", request(tmp_path / "none.txt"), never)


def test_every_file_of_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "1.txt").write_text("one")
    prepare(tmp_path / "out", request(tmp_path / "in"), write)
    (tmp_path / "in" / "a" / "1.txt").rename(tmp_path / "in" / "a" / "2.txt")
    with pytest.raises(DataError, match="names other sources"):
        prepare(tmp_path / "out", request(tmp_path / "in"), never)


def test_killed_while_writing_it_leaves_no_folder_and_can_be_called_again(source: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from training.prepare.directory import Request, prepare\n"
        "def write(folder):\n"
        "    (folder / 'data.txt').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "prepare(Path(sys.argv[1]), Request('kind', (('text', Path(sys.argv[2])),), {'seed': 0}), write)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out"), str(source)]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert not prepare(tmp_path / "out", request(source), write).already
    assert (tmp_path / "out" / "data.txt").read_text() == "made"
