from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import orjson
import pytest

from service.commands.embedding.partial import Listed, Partial, opened_partial, remove_partial
from service.commands.errors import CommandError

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
LISTED = [Listed(n, "text", {"n": n}, 0) for n in range(4)]


def open_in(directory: Path) -> AbstractContextManager[Partial]:
    return opened_partial(directory / "out.npy.partial", header=16, row=12)


@pytest.fixture
def partial(tmp_path: Path) -> Iterator[Partial]:
    with open_in(tmp_path) as partial:
        partial.cut(0, 0)
        yield partial


def test_rows_stand_behind_room_for_a_header(partial: Partial) -> None:
    assert partial.append(ROWS[:1], LISTED[:1]) > 0
    size = partial.append(ROWS[1:], LISTED[1:])
    partial.write_header(b"h" * 16)
    assert partial.vectors_path.read_bytes() == b"h" * 16 + ROWS.tobytes()
    lines = partial.listed_path.read_bytes()
    assert len(lines) == size
    assert [Listed(*orjson.loads(line)) for line in lines.splitlines()] == LISTED


def test_what_was_not_told_of_is_cut_off(partial: Partial) -> None:
    size = partial.append(ROWS[:2], LISTED[:2])
    partial.append(ROWS[2:], LISTED[2:])
    partial.cut(2, size)
    partial.append(ROWS[:1], LISTED[:1])
    partial.sync()
    assert partial.vectors_path.read_bytes()[16:] == ROWS[[0, 1, 0]].tobytes()
    assert len(partial.listed_path.read_bytes().splitlines()) == 3


def test_rows_that_are_gone_are_not_made_up(partial: Partial) -> None:
    partial.append(ROWS, LISTED)
    with pytest.raises(CommandError, match="shorter than the run has left it"):
        partial.cut(5, 0)
    with pytest.raises(CommandError, match="shorter than the run has left it"):
        partial.cut(4, 10_000)


def test_two_runs_never_write_one_output(partial: Partial, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="another run writes here"), open_in(tmp_path):
        pass


def test_a_full_disk_is_told_of(tmp_path: Path) -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full, (tmp_path / "listed").open("w+b") as listed:
        partial = Partial(tmp_path, full, listed, header=0, row=12)
        with pytest.raises(CommandError, match="cannot be written \\(No space left on device\\)"):
            partial.append(ROWS, LISTED)


def test_nothing_is_left_in_the_end(tmp_path: Path) -> None:
    with open_in(tmp_path) as partial:
        directory = partial.vectors_path.parent
    remove_partial(directory)
    remove_partial(directory)
    assert not directory.exists()
