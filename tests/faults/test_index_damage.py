"""An index that was kept on disk is believed only when it is whole and of this very collection; else it is built anew.

The places are drawn from a seed, TEST_SEED; TEST_MUTATIONS sets how many there are for each kind of damage.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from service.search.embedded import tending
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.opening import FOLDER
from service.search.points import IndexKind, Search, Selection, Storage
from service.search.store.database import FILE
from tests.faults.damages import DAMAGES, REPLACEMENTS, Damage, clear
from tests.faults.drawn import draw_vector
from tests.faults.knobs import SEED, number
from tests.faults.oracle import Oracle, recall_of, require_hits_exact, require_hits_true, require_same_points
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, note, writes
from tests.faults.writer import open_data

MUTATIONS = number("TEST_MUTATIONS", 5)
KINDS: tuple[tuple[IndexKind, Storage], ...] = (
    ("hnsw", "float32"),
    ("hnsw", "int8"),
    ("ivf", "float32"),
    ("ivf", "int8"),
)
WRITES = 30

Made: TypeAlias = tuple[Path, dict[str, Oracle]]

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_thresholds(monkeypatch.setattr)


def name_of(index: str, storage: str) -> str:
    return f"{index}-{storage}"


def tend_all(collections: Collections) -> None:
    """Until nothing is left to do: every index is in its final kind, and kept."""
    for info in collections.list():
        while tending.tend(collections.get(info.name)):
            pass


def write(collections: Collections, oracles: dict[str, Oracle], seed: str, number: int) -> None:
    """Some writes to every collection, other ones for each."""
    for name, oracle in oracles.items():
        for one, _ in zip(writes(f"{seed} {name}"), range(number), strict=False):
            apply(one, collections.get(name))
            note(one, oracle)


def make(data_dir: Path, seed: str) -> dict[str, Oracle]:
    """A collection of every kind whose index is kept, and some writes after that; what is in them."""
    oracles = {name_of(*kind): Oracle("dot") for kind in KINDS}
    with closing(open_data(data_dir, tended=False)) as collections:
        for index, storage in KINDS:
            collections.create(name_of(index, storage), space="s", metric="dot", index=index, storage=storage)
        write(collections, oracles, seed, WRITES)
        tend_all(collections)
        write(collections, oracles, f"{seed} later", 3)
    return oracles


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A data directory with an index file for each collection, each a bit older than the collection."""
    data_dir = tmp_path_factory.mktemp("made") / "data"
    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch.setattr)
        oracles = make(data_dir, f"{SEED}")
    assert len(index_files(data_dir)) == len(KINDS)
    return data_dir, oracles


@pytest.fixture
def kept(made: Made, tmp_path: Path) -> Made:
    """A copy of it."""
    shutil.copytree(made[0], tmp_path / "data")
    return tmp_path / "data", {name: oracle.copy() for name, oracle in made[1].items()}


def index_files(data_dir: Path) -> list[Path]:
    """In the order of KINDS."""
    return sorted((data_dir / FOLDER).glob("*.index"), key=lambda path: int(path.stem))


def require_right(real: StoredCollection, oracle: Oracle) -> None:
    """All that a caller can learn."""
    require_same_points(real.scroll(limit=10**6).points, [*oracle.points], oracle)
    query = draw_vector(random.Random(SEED))
    for exact in (True, False):
        search = Search(queries=query[None], limit=10, exact=exact)
        ranked = oracle.ranked(query, search, lambda *_: True)
        [hits] = real.search(search)
        require_hits_true(hits, ranked, oracle, search)
        if exact:
            require_hits_exact(hits, ranked[:10], 0)
        assert recall_of(hits, ranked[:10], 0) >= 0.5


@contextmanager
def opened(data_dir: Path, oracles: dict[str, Oracle]) -> Iterator[dict[str, bool]]:
    """Opened, right, and for each collection whether its index file was believed."""
    with closing(open_data(data_dir, tended=False)) as collections:
        assert [info.name for info in collections.list()] == [*oracles]
        for name, oracle in oracles.items():
            require_right(collections.get(name), oracle)
        assert collections.verify() == []
        yield {name: collections.get(name).unverified for name in oracles}


def test_whole_files_are_believed(kept: Made) -> None:
    with opened(*kept) as believed:
        assert all(believed.values())


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_believed(kept: Made, damage: Damage) -> None:
    data_dir, oracles = kept
    files = index_files(data_dir)
    contents = [file.read_bytes() for file in files]
    draw = random.Random(SEED)
    for mutation in range(MUTATIONS):
        changed = [bytearray(content) for content in contents]
        for file, one in zip(files, changed, strict=True):
            damage(one, draw)
            file.write_bytes(one)
        with opened(data_dir, oracles) as believed:
            same = [one == content for one, content in zip(changed, contents, strict=True)]
            assert [*believed.values()] == same, f"seed {SEED}, mutation {mutation}"


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_what_is_no_index_is_not_believed_and_is_replaced_where_that_is_possible(
    kept: Made, replacement: Callable[[Path], None]
) -> None:
    data_dir, oracles = kept
    for file in index_files(data_dir):
        replacement(file)
    with opened(data_dir, oracles) as believed:
        assert not any(believed.values())
    with closing(open_data(data_dir, tended=False)) as collections:
        tend_all(collections)
        for file in [path for path in (data_dir / FOLDER).iterdir() if path.is_dir()]:
            clear(file)
        write(collections, oracles, "more", 2)
        tend_all(collections)
    with opened(data_dir, oracles) as believed:
        assert all(believed.values())


def test_a_file_in_the_place_of_the_folder_costs_nothing_but_time(kept: Made) -> None:
    data_dir, oracles = kept
    shutil.rmtree(data_dir / FOLDER)
    (data_dir / FOLDER).write_text("in the way")
    with opened(data_dir, oracles) as believed:
        assert not any(believed.values())
    with closing(open_data(data_dir, tended=False)) as collections:
        tend_all(collections)
        write(collections, oracles, "more", 1)
    with opened(data_dir, oracles):
        pass


def test_the_file_of_another_collection_is_not_believed(kept: Made) -> None:
    data_dir, oracles = kept
    files = index_files(data_dir)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents[1:] + contents[:1], strict=True):
        file.write_bytes(content)
    with opened(data_dir, oracles) as believed:
        assert not any(believed.values())


def test_the_file_of_another_store_is_not_believed(kept: Made, tmp_path: Path) -> None:
    """One of the same shape, with as many collections that are numbered alike."""
    data_dir, oracles = kept
    other = tmp_path / "other"
    make(other, "other")
    shutil.rmtree(data_dir / FOLDER)
    shutil.copytree(other / FOLDER, data_dir / FOLDER)
    with opened(data_dir, oracles) as believed:
        assert not any(believed.values())


@pytest.mark.parametrize("kept_again", [True, False])
def test_a_file_that_is_newer_than_a_store_from_a_backup_is_not_believed(
    kept: Made, tmp_path: Path, kept_again: bool
) -> None:
    """After the backup other points get the numbers that points of the lost time had."""
    data_dir, oracles = kept
    backup = tmp_path / "backup"
    shutil.copy(data_dir / FILE, backup)
    at_backup = {name: oracle.copy() for name, oracle in oracles.items()}
    with closing(open_data(data_dir, tended=False)) as collections:
        write(collections, oracles, "lost", 5)
        tend_all(collections)
    shutil.copy(backup, data_dir / FILE)
    with opened(data_dir, at_backup) as believed:
        assert not any(believed.values())
    newer = [file.read_bytes() for file in index_files(data_dir)]
    with closing(open_data(data_dir, tended=False)) as collections:
        write(collections, at_backup, "instead", 5)
        if kept_again:
            tend_all(collections)
    for file, content in zip(index_files(data_dir), newer, strict=True):
        file.write_bytes(content)
    with opened(data_dir, at_backup) as believed:
        assert not any(believed.values())


def test_an_older_file_of_the_same_collection_is_not_believed_once_a_newer_one_was_kept(
    kept: Made,
) -> None:
    data_dir, oracles = kept
    older = [file.read_bytes() for file in index_files(data_dir)]
    with closing(open_data(data_dir, tended=False)) as collections:
        write(collections, oracles, "more", 5)
        tend_all(collections)
    for file, content in zip(index_files(data_dir), older, strict=True):
        file.write_bytes(content)
    with opened(data_dir, oracles) as believed:
        assert not any(believed.values())


def test_points_that_are_gone_since_are_gone(kept: Made) -> None:
    """Nearly all of them, and none come for a while."""
    data_dir, oracles = kept
    with closing(open_data(data_dir, tended=False)) as collections:
        for name, oracle in oracles.items():
            ids = [*oracle.points][:-20]
            assert collections.get(name).delete(Selection(ids=ids)) == oracle.delete(ids) == len(ids)
    with opened(data_dir, oracles) as believed:
        assert all(believed.values())
    assert np.all([len(oracle.points) == 20 for oracle in oracles.values()])
