"""A damaged snapshot is refused with a reason and leaves nothing behind, or gives what was in it.

The places are drawn from a seed, TEST_SEED; TEST_MUTATIONS sets how many there are for each kind of damage.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from service.errors import InvalidInput, NotFound, ServiceError
from service.search.embedded.collections import Collections
from service.search.points import SnapshotInfo
from tests.faults.damages import DAMAGES, REPLACEMENTS, Damage, clear
from tests.faults.knobs import SEED, number
from tests.faults.oracle import Oracle, require_same_points
from tests.faults.workload import apply, note, writes
from tests.faults.writer import open_data

MUTATIONS = number("TEST_MUTATIONS", 20)

pytestmark = pytest.mark.timeout(3600)


class Kept(NamedTuple):
    """An open data directory with the collections "one" and "two", and a snapshot of each."""

    collections: Collections
    oracles: dict[str, Oracle]
    infos: dict[str, SnapshotInfo]

    def path(self, name: str) -> Path:
        """The snapshot file of a collection."""
        return self.collections.get(name).snapshot_path(self.infos[name].name)

    def told(self, name: str) -> Path:
        """What lies beside it."""
        return self.path(name).with_name(self.infos[name].name + ".json")

    def require_unchanged(self) -> None:
        """Nothing is there but what was there, and it is as it was."""
        assert [info.name for info in self.collections.list()] == [*self.oracles]
        for name, oracle in self.oracles.items():
            require_same_points(self.collections.get(name).scroll(limit=10**6).points, [*oracle.points], oracle)
        assert self.collections.verify() == []


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with closing(open_data(tmp_path / "data", tended=False)) as collections:
        oracles = {"one": Oracle("dot"), "two": Oracle("dot")}
        infos = {}
        for name, oracle in oracles.items():
            real = collections.create(name, space="s", metric="dot", index="flat")
            for write, _ in zip(writes(f"{SEED} {name}"), range(12), strict=False):
                apply(write, real)
                note(write, oracle)
            infos[name] = real.create_snapshot()
        yield Kept(collections, oracles, infos)


def require_refused_or_right(kept: Kept, file: Path) -> bool:
    """Whether it was refused."""
    try:
        made = kept.collections.restore("made", file)
    except InvalidInput as refusal:
        reason = refusal.message
    else:
        require_same_points(made.scroll(limit=10**6).points, [*kept.oracles["one"].points], kept.oracles["one"])
        kept.collections.drop("made")
        return False
    assert "snapshot" in reason.lower()
    kept.require_unchanged()
    return True


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_refused_or_gives_what_was_in_it(kept: Kept, tmp_path: Path, damage: Damage) -> None:
    content = kept.path("one").read_bytes()
    draw = random.Random(SEED)
    file = tmp_path / "downloaded.snapshot"
    refused = 0
    for _ in range(MUTATIONS):
        changed = bytearray(content)
        damage(changed, draw)
        file.write_bytes(changed)
        refused += require_refused_or_right(kept, file)
    assert refused > MUTATIONS // 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_snapshot_that_is_kept_here_must_be_the_file_that_was_written(kept: Kept, damage: Damage) -> None:
    file = kept.path("one")
    content = file.read_bytes()
    draw = random.Random(SEED)
    for _ in range(MUTATIONS):
        changed = bytearray(content)
        damage(changed, draw)
        file.write_bytes(changed)
        assert require_refused_or_right(kept, file) is (changed != content)
    file.write_bytes(content)
    assert not require_refused_or_right(kept, file)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_what_is_no_snapshot_is_refused(kept: Kept, replacement: Callable[[Path], None]) -> None:
    file = kept.path("one")
    replacement(file)
    with pytest.raises(ServiceError):
        kept.collections.restore("made", file)
    kept.require_unchanged()
    with pytest.raises(NotFound) if not file.is_file() else pytest.raises(InvalidInput):
        kept.collections.restore("made", kept.collections.get("one").snapshot_path(file.name))
    assert [info.name for info in kept.collections.get("two").snapshots()] == [kept.infos["two"].name]
    kept.collections.get("one").snapshots()
    clear(file)


def test_snapshots_that_changed_places_are_refused(kept: Kept) -> None:
    one, two = kept.path("one"), kept.path("two")
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    for file in (one, two):
        with pytest.raises(InvalidInput):
            kept.collections.restore("made", file)
    kept.require_unchanged()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_what_is_told_of_a_snapshot_is_never_told(kept: Kept, damage: Damage) -> None:
    told = kept.told("one")
    content = told.read_bytes()
    draw = random.Random(SEED)
    for mutation in range(MUTATIONS):
        changed = bytearray(content)
        damage(changed, draw)
        told.write_bytes(changed)
        assert kept.collections.get("one").snapshots() == [kept.infos["one"]], f"seed {SEED}, mutation {mutation}"
        assert not require_refused_or_right(kept, kept.path("one"))


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_what_is_told_of_a_snapshot_can_be_found_out_again(kept: Kept, replacement: Callable[[Path], None]) -> None:
    replacement(kept.told("one"))
    assert kept.collections.get("one").snapshots() == [kept.infos["one"]]
    assert not require_refused_or_right(kept, kept.path("one"))
    kept.collections.get("one").delete_snapshot(kept.infos["one"].name)
    assert kept.collections.get("one").snapshots() == []


def test_what_is_told_of_another_snapshot_is_not_believed(kept: Kept) -> None:
    shutil.copy(kept.told("two"), kept.told("one"))
    assert kept.collections.get("one").snapshots() == [kept.infos["one"]]
    told = json.loads(kept.told("two").read_bytes())
    assert told["sha256"] == kept.infos["two"].sha256
