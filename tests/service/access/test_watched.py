import os
import time
from pathlib import Path

import pytest

from service.access.watched import Watched


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that it sees, to be moved on."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_change_is_told_once_and_looked_for_once_a_second(tmp_path: Path, clock: list[float]) -> None:
    path = tmp_path / "file"
    path.write_text("a")
    watched = Watched([path])
    path.write_text("ab")
    clock[0] += 0.9
    assert not watched.changed()
    clock[0] += 0.2
    assert watched.changed()
    assert not watched.changed()
    clock[0] += 1
    assert not watched.changed()


def test_a_file_that_goes_comes_or_is_replaced_has_changed(tmp_path: Path, clock: list[float]) -> None:
    path, other, link = tmp_path / "file", tmp_path / "other", tmp_path / "link"
    link.symlink_to(path)
    watched = Watched([path, link])
    path.write_text("a")
    os.utime(path, (1, 1))
    clock[0] += 1
    assert watched.changed(), "it came"
    other.write_text("b")
    os.utime(other, (1, 1))  # the same size and time as the other one
    other.replace(path)
    clock[0] += 1
    assert watched.changed(), "another one is in its place"
    path.unlink()
    clock[0] += 1
    assert watched.changed(), "it is gone"


def test_a_link_that_is_switched_has_changed(tmp_path: Path, clock: list[float]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
        os.utime(tmp_path / name, (1, 1))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "one")
    watched = Watched([link])
    link.unlink()
    link.symlink_to(tmp_path / "two")
    clock[0] += 1
    assert watched.changed()
