"""A snapshot is what the collection was at one moment, whatever is written meanwhile, and becomes that again anywhere.

TEST_SECONDS sets how long is written beside snapshots, TEST_KILLS how many processes are killed at their work; the
moments are drawn from a seed, TEST_SEED.
"""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from service.errors import Conflict, NotFound
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.opening import FOLDER as INDEXES
from service.search.embedded.snapshots import FOLDER as SNAPSHOTS
from service.search.points import Search
from tests.faults.drawn import draw_vector
from tests.faults.knobs import SEED, number, tell
from tests.faults.oracle import Oracle, require_same_points
from tests.faults.snapshooter import MADE
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import Write, apply, note, writes
from tests.faults.writer import NAME, open_data

SECONDS = number("TEST_SECONDS", 2)
KILLS = number("TEST_KILLS", 4)
EVERY_S = 0.005  # 200 writes a second
RESTORED_BESIDE = 5  # each such snapshot into the very store that is written to, which makes its writers wait
REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes are rebuilt and kept all the time, which leaves writes less than the time they need for 200 a second."""
    lower_thresholds(monkeypatch.setattr)


class Writer:
    """Writes beside everything else. `done` are acknowledged; one more may be under way."""

    def __init__(self, real: StoredCollection, seed: str) -> None:
        self.done: list[Write] = []
        self.under_way = 0
        self.error: Exception | None = None
        self._real = real
        self._following = writes(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            write = next(self._following)
            self.under_way = 1
            try:
                apply(write, self._real)
            except Exception as error:
                self.error = error
                return
            self.done.append(write)
            self.under_way = 0
            due += EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))


class Taken(NamedTuple):
    """A snapshot, and how many writes were acknowledged before and begun after it."""

    file: Path
    least: int
    most: int


def create(collections: Collections, oracle: Oracle, count: int = 40) -> StoredCollection:
    real = collections.create(NAME, space="s", metric="dot", index="hnsw")
    for write, _ in zip(writes("before"), range(count), strict=False):
        apply(write, real)
        note(write, oracle)
    return real


def take(real: StoredCollection, writer: Writer, folder: Path) -> Taken:
    least = len(writer.done)
    info = real.create_snapshot()
    most = len(writer.done) + 1  # the next one may be in it, too
    shutil.copy(real.snapshot_path(info.name), folder)
    real.delete_snapshot(info.name)
    return Taken(folder / info.name, least, most)


def require_one_of_its_moments(restored: StoredCollection, taken: Taken, start: Oracle, seed: str) -> None:
    """The points, all that is told of them and their order are those after one of the writes that it can be of."""
    page = restored.scroll(limit=10**6).points
    found = {point.id: point.metadata for point in page}
    oracle = start.copy()
    for position, write in enumerate(islice(writes(seed), taken.most + 1)):
        there = {one: kept.metadata for one, kept in oracle.points.items()}
        if position >= taken.least and found == there:
            require_same_points(page, [*oracle.points], oracle)
            return
        note(write, oracle)
    raise AssertionError(f"{taken.file.name} is of no moment between {taken.least} and {taken.most} writes")


def test_snapshots_beside_writes_are_what_was_there_at_one_moment(tmp_path: Path) -> None:
    """Restored beside writes, too: into the same store under another name, and into a second one."""
    start = Oracle("dot")
    taken: list[Taken] = []
    with closing(open_data(tmp_path / "first")) as first, closing(open_data(tmp_path / "second")) as second:
        real = create(first, start)
        writer = Writer(real, f"{SEED}")
        with writer.running():
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not writer.error:
                taken.append(take(real, writer, tmp_path))
                second.restore(f"copy-{len(taken)}", taken[-1].file)
                if len(taken) % RESTORED_BESIDE == 1:
                    require_one_of_its_moments(first.restore(MADE, taken[-1].file), taken[-1], start, f"{SEED}")
                    first.drop(MADE)
        assert writer.error is None
        for position, one in enumerate(taken, start=1):
            copy = second.get(f"copy-{position}")
            require_one_of_its_moments(copy, one, start, f"{SEED}")
        assert first.verify() == second.verify() == []
    tell(
        f"{len(taken)} snapshots beside {len(writer.done)} writes in {SECONDS} s, each restored elsewhere,"
        " some beside the writes"
    )
    assert len(taken) > 1
    assert len(writer.done) > SECONDS


@pytest.mark.usefixtures("small")
def test_a_restore_in_the_place_of_a_collection_ends_the_writes_to_it(tmp_path: Path) -> None:
    """Whoever wrote to it is told; whoever asks for it by name or alias finds what was restored."""
    oracle = Oracle("dot")
    with closing(open_data(tmp_path / "data")) as collections:
        real = create(collections, oracle)
        collections.set_alias("now", NAME)
        info = real.create_snapshot()
        for life in range(3):
            writer = Writer(collections.get("now"), f"{SEED}-{life}")
            with writer.running():
                time.sleep(0.1)
                restored = collections.restore(NAME, collections.get(NAME).snapshot_path(info.name), replace=True)
                time.sleep(0.05)
            assert isinstance(writer.error, NotFound)
            require_same_points(restored.scroll(limit=10**6).points, [*oracle.points], oracle)
            assert collections.get("now") is collections.get(NAME) is restored
            assert collections.verify() == []


def test_other_collections_are_found_while_one_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_data(tmp_path / "data", tended=False)) as collections:
        real = create(collections, Oracle("dot"))
        path = real.snapshot_path(real.create_snapshot().name)
        going_on, restore = threading.Event(), collections._store.restore

        def slow(*arguments: object, **named: object) -> int:
            assert going_on.wait(20)
            return restore(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(collections._store, "restore", slow)
        thread = threading.Thread(target=collections.restore, args=(MADE, path))
        thread.start()
        query = draw_vector(random.Random(SEED))[None]
        assert len(collections.get(NAME).search(Search(queries=query, limit=5))[0]) == 5
        with pytest.raises(NotFound):
            collections.get(MADE)
        going_on.set()
        thread.join()
        assert collections.get(MADE).count() == real.count()


def test_what_cannot_be_restored_changes_nothing(tmp_path: Path) -> None:
    """A name that is taken, and a file that ends in the middle."""
    oracle = Oracle("dot")
    with closing(open_data(tmp_path / "data", tended=False)) as collections:
        real = create(collections, oracle)
        path = real.snapshot_path(real.create_snapshot().name)
        with pytest.raises(Conflict):
            collections.restore(NAME, path)
        cut = tmp_path / "cut.snapshot"
        cut.write_bytes(path.read_bytes()[: path.stat().st_size // 4096 // 2 * 4096])
        for name, replace in ((MADE, False), (NAME, True)):
            with pytest.raises(Exception, match="damaged"):
                collections.restore(name, cut, replace=replace)
        assert [info.name for info in collections.list()] == [NAME]
        require_same_points(real.scroll(limit=10**6).points, [*oracle.points], oracle)
        assert collections.verify() == []


def kill_at_work(after_s: float, *arguments: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.snapshooter", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        timer = threading.Timer(after_s, process.kill)
        timer.start()
        process.wait()
        timer.join()


def leftovers(data_dir: Path) -> list[Path]:
    """Files that nobody knows."""
    hidden = [*(data_dir / SNAPSHOTS).glob("*/.*"), *(data_dir / INDEXES).glob(".*")]
    return [*hidden, *data_dir.glob("*.new")]


def many_points(tmp_path: Path) -> tuple[Path, Oracle]:
    """A data directory with a collection that takes some time to write and to read."""
    oracle = Oracle("dot")
    with closing(open_data(tmp_path / "data", tended=False)) as collections:
        create(collections, oracle, 120)
    return tmp_path / "data", oracle


def killed_often(work: Callable[[random.Random], None]) -> None:
    draw = random.Random(SEED)
    for _ in range(KILLS):
        work(draw)


@pytest.mark.usefixtures("small")
def test_killed_while_restoring_it_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    data_dir, oracle = many_points(tmp_path)
    with closing(open_data(data_dir, tended=False)) as collections:
        real = collections.get(NAME)
        file = Path(shutil.copy(real.snapshot_path(real.create_snapshot().name), tmp_path))
    there = 0

    def kill_once(draw: random.Random) -> None:
        nonlocal there
        kill_at_work(draw.uniform(0.0, 0.3), data_dir, file)
        with closing(open_data(data_dir, tended=False)) as collections:
            assert [info.name for info in collections.list()] in ([NAME], [NAME, MADE])
            for info in collections.list():
                page = collections.get(info.name).scroll(limit=10**6)
                require_same_points(page.points, [*oracle.points], oracle)
            assert collections.verify() == []
            assert leftovers(data_dir) == []
            if len(collections.list()) == 2 and draw.random() < 0.5:
                collections.drop(MADE)
                there += 1

    killed_often(kill_once)
    tell(f"{KILLS} kills while restoring; there as a whole {there} times or more")


@pytest.mark.usefixtures("small")
def test_killed_while_making_snapshots_those_that_are_listed_are_whole(tmp_path: Path) -> None:
    data_dir, oracle = many_points(tmp_path)
    whole = 0

    def kill_once(draw: random.Random) -> None:
        nonlocal whole
        kill_at_work(draw.uniform(0.0, 0.3), data_dir)
        with closing(open_data(data_dir, tended=False)) as collections:
            assert leftovers(data_dir) == []
            real = collections.get(NAME)
            assert {info.name for info in real.snapshots()} == {
                path.name for path in (data_dir / SNAPSHOTS / NAME).glob("*.snapshot")
            }
            for info in real.snapshots():
                restored = collections.restore(MADE, real.snapshot_path(info.name), replace=True)
                require_same_points(restored.scroll(limit=10**6).points, [*oracle.points], oracle)
                real.delete_snapshot(info.name)
                whole += 1

    killed_often(kill_once)
    tell(f"{KILLS} kills while making snapshots, {whole} of them whole")
    assert whole or KILLS < 4
