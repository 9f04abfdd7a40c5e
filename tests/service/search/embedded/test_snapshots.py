"""Snapshot files and what is told of each."""

import errno
import hashlib
from pathlib import Path

import pytest

from service.errors import InvalidInput, NotFound, StorageFull, Unavailable
from service.search.embedded.snapshots import Snapshots


def write(number: int, path: Path) -> int:
    path.write_bytes(b"points of %d" % number)
    return 3 * number


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path, write)


def test_a_snapshot_says_what_it_is(snapshots: Snapshots) -> None:
    info = snapshots.create("cats", 5)
    path = snapshots.path("cats", info.name)
    assert path.read_bytes() == b"points of 5"
    assert (info.bytes, info.count) == (11, 15)
    assert info.sha256 == hashlib.sha256(b"points of 5").hexdigest()
    assert info.name.startswith(f"cats-{info.created_at.replace('-', '').replace(':', '')[:-1]}-")
    assert snapshots.list("cats") == [info]


def test_snapshots_are_listed_oldest_first_and_each_collection_has_its_own(snapshots: Snapshots) -> None:
    made = [snapshots.create("cats", number) for number in range(3)]
    dogs = snapshots.create("dogs", 9)
    assert len({info.name for info in made}) == 3
    assert snapshots.list("cats") == sorted(made, key=lambda info: (info.created_at, info.name))
    assert (snapshots.list("dogs"), snapshots.list("cows")) == ([dogs], [])
    with pytest.raises(NotFound):
        snapshots.path("cats", dogs.name)


def test_a_snapshot_that_could_not_be_written_is_not_listed(tmp_path: Path) -> None:
    def full(number: int, path: Path) -> int:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no room")

    snapshots = Snapshots(tmp_path, full)
    with pytest.raises(StorageFull, match="no room for this snapshot; nothing of it was kept"):
        snapshots.create("cats", 1)
    assert [*(tmp_path / "snapshots" / "cats").iterdir()] == []
    assert snapshots.list("cats") == []


def test_a_folder_that_cannot_be_made_is_told_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be written at the moment"):
        Snapshots(tmp_path, write).create("cats", 1)


def test_a_snapshot_that_is_another_file_by_now_is_refused(snapshots: Snapshots, tmp_path: Path) -> None:
    path = snapshots.path("cats", snapshots.create("cats", 5).name)
    snapshots.require_as_written(path)
    path.write_bytes(b"points of 6")
    with pytest.raises(InvalidInput, match="not the file that was written"):
        snapshots.require_as_written(path)


def test_what_was_half_written_is_swept_and_the_rest_stays(snapshots: Snapshots, tmp_path: Path) -> None:
    info = snapshots.create("cats", 5)
    half = tmp_path / "snapshots" / "cats" / ".half.snapshot.1234"
    half.write_text("half")
    snapshots.sweep()
    assert (half.exists(), snapshots.list("cats")) == (False, [info])


def test_a_deleted_snapshot_leaves_nothing(snapshots: Snapshots, tmp_path: Path) -> None:
    kept, gone = snapshots.create("cats", 1), snapshots.create("cats", 2)
    snapshots.delete("cats", gone.name)
    assert snapshots.list("cats") == [kept]
    assert len([*(tmp_path / "snapshots" / "cats").iterdir()]) == 2
    with pytest.raises(NotFound):
        snapshots.delete("cats", gone.name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../secret.snapshot", "a/../../secret.snapshot", "secret", ".hidden.snapshot", "a\n.snapshot"],
)
def test_a_name_that_leads_elsewhere_is_not_found(snapshots: Snapshots, tmp_path: Path, name: str) -> None:
    snapshots.create("cats", 1)
    for place in (tmp_path, tmp_path / "snapshots"):
        (place / "secret.snapshot").write_text("secret")
    (tmp_path / "snapshots" / "cats" / ".hidden.snapshot").write_text("secret")
    (tmp_path / "snapshots" / "cats" / "secret").write_text("secret")
    with pytest.raises(NotFound) as refusal:
        snapshots.path("cats", name)
    assert "secret" not in refusal.value.message


def test_what_is_told_beside_a_snapshot_is_no_snapshot(snapshots: Snapshots) -> None:
    info = snapshots.create("cats", 1)
    with pytest.raises(NotFound):
        snapshots.path("cats", info.name + ".json")
