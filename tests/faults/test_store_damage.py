"""A damaged data directory is refused with a reason, or answers as before: never wrongly.

The places are drawn from a seed, TEST_SEED; TEST_MUTATIONS sets how many there are.
"""

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import apsw
import numpy as np
import pytest

from service.errors import StoreError
from service.search.embedded.collections import Collections
from service.search.filters.model import Filter, MatchAny, MatchText, Range
from service.search.points import Point, Search
from service.search.store.database import FILE
from tests.faults.damages import (
    DAMAGES,
    REPLACEMENTS,
    Damage,
    empty,
    flip_bit,
    put_directory,
    put_link_to_nothing,
    put_pipe,
    put_text,
    truncate,
    zero_page,
)
from tests.faults.knobs import SEED, number

MUTATIONS = number("TEST_MUTATIONS", 60)
POINTS = 60

SEARCHES = (
    Search(queries=np.eye(64, dtype=np.float32)[:4], limit=20),
    Search(words=("cats", "number 17", "dozen 3"), mode="lexical", limit=POINTS),
    Search(
        queries=np.eye(64, dtype=np.float32)[:1],
        limit=POINTS,
        filter=Filter(should=(Range("n", lt=5), MatchAny("tags", ("t3",)), MatchText("tags", ("x1",)))),
    ),
)

State: TypeAlias = list[object]


def open_data(data_dir: Path) -> Collections:
    return Collections.open(data_dir, fingerprint="f" * 64, dimensions={"sentence": 64}, max_points=1_000)


def everything(collections: Collections) -> State:
    """All that a caller can learn."""
    state: State = []
    for info in collections.list():
        collection = collections.get(info.name)
        points = collection.get(range(POINTS))
        state += [info, [(point.id, point.vector.tobytes(), point.text, point.metadata) for point in points]]
        for search in SEARCHES:
            hits = collection.search(search)
            state.append([(hit.id, hit.score, hit.text, hit.metadata) for one in hits for hit in one])
    return [*state, collections.aliases()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[State]]:
    """A data directory copied while it was open, log and all, and its states after each commit."""
    live, copy = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("copy") / "data"
    rng = np.random.default_rng(SEED)
    states: list[State] = []
    with closing(open_data(live)):
        pass  # so that the tables are in the file and not in the log
    with closing(open_data(live)) as collections:
        states.append(everything(collections))
        cats = collections.create("cats", space="sentence", description="of cats")
        states.append(everything(collections))
        for start in range(0, POINTS, 10):
            vectors = rng.standard_normal((10, 64), dtype=np.float32)
            cats.upsert(
                [
                    Point(
                        start + i,
                        vectors[i],
                        f"cat number {start + i} of dozen {i // 12}",
                        {"n": i, "tags": [f"t{i % 7}", f"x{i % 3} y"]},
                    )
                    for i in range(10)
                ]
            )
            states.append(everything(collections))
        collections.set_alias("felines", "cats")
        states.append(everything(collections))
        shutil.copytree(live, copy)
    return copy, states


@pytest.fixture
def closed(whole: tuple[Path, list[State]], tmp_path: Path) -> tuple[Path, State]:
    """A copy that was closed properly, so that everything is in one file, and what it holds."""
    data_dir = tmp_path / "data"
    shutil.copytree(whole[0], data_dir)
    open_data(data_dir).close()
    return data_dir, whole[1][-1]


def state_or_refusal(data_dir: Path) -> State | None:
    """What the directory holds, or None if it was refused with a sentence that names the file."""
    try:
        with closing(open_data(data_dir)) as collections:
            return everything(collections)
    except StoreError as refusal:
        named = str(data_dir / FILE) in str(refusal)
    assert named
    return None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_or_harmless(closed: tuple[Path, State], damage: Damage) -> None:
    data_dir, before = closed
    content = (data_dir / FILE).read_bytes()
    draw = random.Random(SEED)
    refused = 0
    for mutation in range(MUTATIONS):
        changed = bytearray(content)
        damage(changed, draw)
        (data_dir / FILE).write_bytes(changed)
        state = state_or_refusal(data_dir)
        assert state in (None, before), f"seed {SEED}, mutation {mutation}"
        refused += state is None
        for leftover in data_dir.glob("*-*"):
            leftover.unlink()
    assert refused > MUTATIONS // 3


@pytest.mark.parametrize("damage", [flip_bit, zero_page, truncate])
def test_a_damaged_log_is_refused_or_gives_a_state_that_was_once_committed(
    whole: tuple[Path, list[State]], tmp_path: Path, damage: Damage
) -> None:
    """SQLite cannot tell the damaged end of a log from a write that was cut short, so it goes back to before it."""
    copy, states = whole
    draw = random.Random(SEED)
    for mutation in range(MUTATIONS):
        data_dir = tmp_path / str(mutation)
        shutil.copytree(copy, data_dir)
        (data_dir / f"{FILE}-shm").unlink()
        log = data_dir / f"{FILE}-wal"
        changed = bytearray(log.read_bytes())
        damage(changed, draw)
        log.write_bytes(changed)
        assert state_or_refusal(data_dir) in (None, *states), f"seed {SEED}, mutation {mutation}"


def test_the_undamaged_copies_are_whole(whole: tuple[Path, list[State]], closed: tuple[Path, State]) -> None:
    assert state_or_refusal(closed[0]) == whole[1][-1]


def test_one_bit_is_enough_wherever_it_is(closed: tuple[Path, State]) -> None:
    """Also where nothing is kept: a disk that changes it there will change something else next."""
    data_dir, _ = closed
    content = (data_dir / FILE).read_bytes()
    draw = random.Random(SEED)
    places = [content.index(b"cat number 17") + 60, *(draw.randrange(len(content)) for _ in range(MUTATIONS))]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1
        (data_dir / FILE).write_bytes(changed)
        assert state_or_refusal(data_dir) is None, place


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough to be looked at" * 100], ids=["empty", "text"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match=FILE):
        open_data(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / FILE))) as foreign:
        foreign.execute("CREATE TABLE points (x); INSERT INTO points VALUES (1)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match="is not a store of this service: move it away"):
        open_data(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM points WHERE id = 3", 'collection "cats" has 59 points, its count says 60'),
        ("UPDATE points SET text = 'another' WHERE id = 3", "row 4 is damaged"),
        ("UPDATE points SET vector = zeroblob(256) WHERE id = 3", "row 4 is damaged"),
        ("UPDATE points SET id = '3' WHERE id = 3", "row 4 is damaged"),
        ("UPDATE points SET metadata = NULL WHERE id = 3", "row 4 is damaged"),
        ("UPDATE points SET collection = 9 WHERE id = 3", "row 4 is damaged"),
        ("DELETE FROM collections", "row 1 is damaged"),
        ("UPDATE collections SET metric = 'dot'", "collection number 1 is damaged"),
        ("UPDATE collections SET description = NULL", "collection number 1 is damaged"),
        ("UPDATE collections SET kind = 'ivf'", "collection number 1 is damaged"),
    ],
)
def test_a_change_behind_our_back_is_refused(closed: tuple[Path, State], change: str, reason: str) -> None:
    data_dir, _ = closed
    with closing(apsw.Connection(str(data_dir / FILE))) as other:
        other.execute(change)
    with pytest.raises(StoreError) as refusal:
        open_data(data_dir)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM fields WHERE row % 2",
        "DELETE FROM fields",
        "INSERT INTO fields SELECT collection, path, kind, value, 1000 FROM fields WHERE row = 1",
        "DELETE FROM words_1 WHERE rowid = 18",
        "DELETE FROM words_1",
        "INSERT INTO words_1 (rowid, text) VALUES (1000, 'cat number 17')",
        "UPDATE collections SET texts = 0, entries = 0",
    ],
)
def test_what_is_derived_from_the_points_is_made_anew_when_it_is_out_of_step(
    closed: tuple[Path, State], change: str
) -> None:
    data_dir, before = closed
    with closing(apsw.Connection(str(data_dir / FILE))) as other:
        other.execute(change)
    assert state_or_refusal(data_dir) == before


@pytest.mark.parametrize("replacement", [empty, put_directory, put_link_to_nothing, put_pipe, put_text])
def test_what_is_no_file_of_ours_is_refused(closed: tuple[Path, State], replacement: Callable[[Path], None]) -> None:
    data_dir, _ = closed
    replacement(data_dir / FILE)
    assert state_or_refusal(data_dir) is None


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_what_is_no_log_is_refused_or_gives_a_state_that_was_once_committed(
    whole: tuple[Path, list[State]], tmp_path: Path, replacement: Callable[[Path], None]
) -> None:
    copy, states = whole
    data_dir = tmp_path / "data"
    shutil.copytree(copy, data_dir)
    (data_dir / f"{FILE}-shm").unlink()
    replacement(data_dir / f"{FILE}-wal")
    assert state_or_refusal(data_dir) in (None, *states)


def test_a_log_without_its_file_is_refused(whole: tuple[Path, list[State]], tmp_path: Path) -> None:
    shutil.copy(whole[0] / f"{FILE}-wal", tmp_path)
    assert state_or_refusal(tmp_path) is None
