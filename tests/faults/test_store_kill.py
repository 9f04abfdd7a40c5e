"""A write that was acknowledged survives SIGKILL at any moment, no write is half there, and searches know nothing else.

The process that is killed keeps index files and rebuilds indexes all the time. The moments are drawn from a seed,
TEST_SEED; TEST_KILLS sets how many there are for each kind of index.
"""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from service.search.embedded.collection import StoredCollection
from service.search.points import IndexKind, Search, Storage
from tests.faults.drawn import draw_vector
from tests.faults.knobs import SEED, number, tell
from tests.faults.oracle import Oracle, recall_of, require_hits_exact, require_hits_true, require_same_points
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import Write, note, writes
from tests.faults.writer import NAME, open_data

KILLS = number("TEST_KILLS", 4)
ENOUGH = 50  # kills after which some have left an index that is believed
REPOSITORY = Path(__file__).parents[2]
EVERYTHING = 10**6


def write_until_killed(data_dir: Path, seed: str, index: str, storage: str, after_s: float) -> int:
    """Start the writer, and kill it so long after it began to write; how many writes it acknowledged."""
    command = [sys.executable, "-m", "tests.faults.writer", str(data_dir), seed, index, storage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        timer = threading.Timer(after_s, writer.kill)
        timer.start()
        lines = writer.stdout.read().split("\n")[:-1]  # a line cut short was not acknowledged
        timer.join()
    return len(lines)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("index", "storage"), [("flat", "float32"), ("hnsw", "float32"), ("hnsw", "int8"), ("ivf", "float32")]
)
def test_no_acknowledged_write_is_lost_and_none_is_half_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexKind, storage: Storage
) -> None:
    lower_thresholds(monkeypatch.setattr)
    draw = random.Random(f"{SEED} {index} {storage}")
    oracle = Oracle("dot")
    acknowledged = unacknowledged = believed = 0
    for life in range(KILLS):
        seed = f"{SEED}-{life}"
        number = write_until_killed(tmp_path, seed, index, storage, draw.uniform(0.02, 0.4))
        done = writes(seed)
        for write in islice(done, number):
            note(write, oracle)
        with closing(open_data(tmp_path, tended=False)) as collections:
            kept = collections.get(NAME)
            oracle, more = as_found(kept, oracle, done)
            require_searches(kept, oracle, draw)
            assert collections.verify() == []
            believed += kept.unverified
        acknowledged, unacknowledged = acknowledged + number, unacknowledged + more
    tell(
        f"{KILLS} kills with {index} {storage}, {acknowledged} writes acknowledged, {unacknowledged} more there,"
        f" {believed} kept indexes used"
    )
    assert acknowledged > KILLS
    assert believed or index == "flat" or KILLS < ENOUGH


def as_found(kept: StoredCollection, oracle: Oracle, following: Iterator[Write]) -> tuple[Oracle, bool]:
    """What is there: everything acknowledged, and the write that was under way as a whole or not at all."""
    page = kept.scroll(limit=EVERYTHING)
    after = oracle.copy()
    note(next(following), after)
    expected, more = (after, True) if looks_like(kept, after) else (oracle, False)
    require_same_points(page.points, [*expected.points], expected)
    return expected, more


def looks_like(kept: StoredCollection, oracle: Oracle) -> bool:
    """Whether the collection has the metadata of these points, which say what they were written by."""
    there = {point.id: point.metadata for point in kept.scroll(limit=EVERYTHING).points}
    return there == {one: point.metadata for one, point in oracle.points.items()}


def require_searches(kept: StoredCollection, oracle: Oracle, draw: random.Random) -> None:
    """Right after the start, before anything was rebuilt."""
    recalls = []
    for exact in (True, False) * 3:
        query = draw_vector(draw)
        search = Search(queries=query[None], limit=10, exact=exact)
        [hits] = kept.search(search)
        ranked = oracle.ranked(query, search, lambda *_: True)
        require_hits_true(hits, ranked, oracle, search)
        recalls.append(recall_of(hits, ranked[:10], 0))
        if exact:
            require_hits_exact(hits, ranked[:10], 0)
    assert sum(recalls) / len(recalls) > 0.5
