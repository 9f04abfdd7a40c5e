"""Files of one data directory that are of different times: refused, or a state that was once committed.

Each file is whole, so that no checksum tells. Which ones meet is drawn from a seed, TEST_SEED; TEST_MUTATIONS sets how
many times.
"""

import random
import shutil
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest

from service.errors import StoreError
from service.search.embedded import tending
from service.search.embedded.collections import Collections
from service.search.embedded.opening import FOLDER
from service.search.points import Search
from service.search.store import database
from service.search.store.database import FILE
from tests.faults.drawn import WIDTH
from tests.faults.knobs import SEED, number, tell
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, writes
from tests.faults.writer import NAME, open_data

MUTATIONS = number("TEST_MUTATIONS", 60)
LIVES, COPIES, BETWEEN = 3, 5, 3  # openings, copies in each, writes between two copies
LOG = f"{FILE}-wal"

State: TypeAlias = list[object]

pytestmark = pytest.mark.timeout(3600)


class History(NamedTuple):
    """Copies of a data directory at some moments, and what it held after each of its writes."""

    copies: list[Path]
    states: list[State]


def everything(collections: Collections) -> State:
    """All that is there, from the store, from the index and from the table of words."""
    state: State = []
    for info in collections.list():
        real = collections.get(info.name)
        points = real.scroll(limit=10**6).points
        state.append([(point.id, point.vector.tobytes(), point.text, point.metadata) for point in points])
        query = np.ones((1, WIDTH), np.float32)
        for search in (
            Search(queries=query, limit=1_000, exact=True),
            Search(words=("written",), mode="lexical", limit=1_000),
        ):
            state.append(sorted((str(hit.id), round(hit.score, 4)) for hit in real.search(search)[0]))
    return state


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Opened and closed some times; the log is written back into the file now and then."""
    live, made = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("copies")
    found = History([], [])
    following = writes(f"{SEED}")
    with pytest.MonkeyPatch.context() as patch:
        lower_thresholds(patch.setattr)
        patch.setattr(database, "CHECKPOINT_PAGES", 20)
        for life in range(LIVES):
            with closing(open_data(live, tended=False)) as collections:
                if not life:
                    found.states.append(everything(collections))
                    collections.create(NAME, space="s", metric="dot", index="hnsw")
                found.states.append(everything(collections))
                for _ in range(COPIES):
                    for _ in range(BETWEEN):
                        apply(next(following), collections.get(NAME))
                        found.states.append(everything(collections))
                    while tending.tend(collections.get(NAME)):
                        pass
                    copy(live, made, found)
            copy(live, made, found)
    return found


def copy(live: Path, made: Path, found: History) -> None:
    found.copies.append(made / str(len(found.copies)))
    shutil.copytree(live, found.copies[-1], ignore=shutil.ignore_patterns("*-shm"))


def test_files_of_different_times_are_refused_or_a_state_that_was_once_committed(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_thresholds(monkeypatch.setattr)
    draw = random.Random(SEED)
    refused = 0
    for mutation in range(MUTATIONS):
        data_dir = tmp_path / str(mutation)
        store, log, index = draw.choices(history.copies, k=3)
        shutil.copytree(store, data_dir)
        put(log / LOG, data_dir / LOG)
        for file in (index / FOLDER).glob("*"):
            put(file, data_dir / FOLDER / file.name)
        try:
            with closing(open_data(data_dir, tended=False)) as collections:
                assert everything(collections) in history.states, f"seed {SEED}, mutation {mutation}"
        except StoreError as refusal:
            refused += 1
            named = FILE in str(refusal)
        else:
            named = True
        assert named
        shutil.rmtree(data_dir)
    tell(f"{MUTATIONS} mixtures of files of different times, {refused} refused, the others once committed")
    assert MUTATIONS // 10 < refused < MUTATIONS


def put(file: Path, target: Path) -> None:
    """The file in the place of another one, or nothing where there is none."""
    target.unlink(missing_ok=True)
    target.parent.mkdir(exist_ok=True)
    if file.exists():
        shutil.copy(file, target)
