"""A process that meets a full disk: a limit on the size of every file it writes, which is for the whole process.

python -m tests.faults.full_disk DATA_DIR

Prints what happened, as JSON.
"""

import json
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.errors import ServiceError, StorageFull
from service.search.embedded import tending
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.embedded.opening import FOLDER
from service.search.embedded.snapshots import FOLDER as SNAPSHOTS
from service.search.points import Search, Selection
from tests.faults.drawn import draw_vector
from tests.faults.oracle import Oracle, require_hits_exact, require_same_points
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, note, writes
from tests.faults.writer import NAME, open_data

SMALL, NOTHING = 3_000_000, 4_096  # bytes: a log fills the first one soon; no write fits the second one


def limit(size: int) -> None:
    """From now on no file may become larger; -1 for as large as ever."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if size >= 0 else hard, hard))


def outcome(act: Callable[[], object]) -> str:
    """The class and the message of what it raised, or "done"."""
    try:
        act()
    except ServiceError as error:
        return f"{type(error).__name__}: {error.message}"
    return "done"


def fill(real: StoredCollection, oracle: Oracle) -> int:
    """Write until the disk is full; how many writes were acknowledged."""
    for number, write in enumerate(writes("fill")):
        try:
            apply(write, real)
        except StorageFull:
            return number
        note(write, oracle)
    raise AssertionError("unreachable")


def require_reads(real: StoredCollection, oracle: Oracle) -> None:
    """Everything that was acknowledged is there, and found."""
    require_same_points(real.scroll(limit=10**6).points, [*oracle.points], oracle)
    query = draw_vector(random.Random(1))
    search = Search(queries=query[None], limit=50, exact=True)
    require_hits_exact(real.search(search)[0], oracle.ranked(query, search, lambda *_: True)[:50], 0)
    assert real.count(Selection(filter=None, ids=[*oracle.points])) == len(oracle.points)


def main(data_dir: Path) -> dict[str, Any]:
    """The whole story."""
    lower_thresholds()
    collections = open_data(data_dir, tended=False)
    real = collections.create(NAME, space="s", metric="dot", index="hnsw")
    oracle = Oracle("dot")
    for write, _ in zip(writes("before"), range(20), strict=False):
        apply(write, real)
        note(write, oracle)
    kept = real.snapshot_path(real.create_snapshot().name)
    limit(SMALL)
    told: dict[str, Any] = {"acknowledged": fill(real, oracle)}
    require_reads(real, oracle)
    limit(NOTHING)
    told |= while_nothing_fits(collections, real, oracle, kept)
    require_reads(real, oracle)
    limit(-1)
    told |= when_there_is_room_again(collections, real, oracle, kept)
    collections.close()
    again = open_data(data_dir, tended=False)
    told["index believed"] = again.get(NAME).unverified
    require_reads(again.get(NAME), oracle)
    told["failing at last"] = again.verify()
    again.close()
    return told


def while_nothing_fits(collections: Collections, real: StoredCollection, oracle: Oracle, kept: Path) -> dict[str, Any]:
    """Each kind of write says so, and leaves nothing behind."""
    some = [*oracle.points][:3]
    data_dir = real.store.path.parent
    told: dict[str, Any] = {
        "upsert": outcome(lambda: apply(next(writes("more")), real)),
        "delete": outcome(lambda: real.delete(Selection(ids=some))),
        "set metadata": outcome(lambda: real.set_metadata(Selection(ids=some), {"full": True})),
        "create": outcome(lambda: collections.create("another", space="s")),
        "alias": outcome(lambda: collections.set_alias("now", NAME)),
        "drop": outcome(lambda: collections.drop(NAME)),
        "restore": outcome(lambda: collections.restore("another", kept)),
        "restore in its place": outcome(lambda: collections.restore(NAME, kept, replace=True)),
        "snapshot": outcome(real.create_snapshot),
        "tend": outcome(lambda: [tending.tend(real) for _ in range(50)]),
        "snapshots": [info.name == kept.name for info in real.snapshots()],
        "files": sorted(path.name for path in (data_dir / SNAPSHOTS / NAME).iterdir() if kept.name not in path.name),
        "indexes": sorted(path.name for path in (data_dir / FOLDER).glob("*")),
        "collections": [info.name for info in collections.list()],
        "aliases": collections.aliases(),
        "failing": collections.verify(),
    }
    return told


def when_there_is_room_again(
    collections: Collections, real: StoredCollection, oracle: Oracle, kept: Path
) -> dict[str, Any]:
    """Without a restart."""
    told: dict[str, Any] = {"failing later": collections.verify()}
    write = next(writes("later"))
    apply(write, real)
    note(write, oracle)
    told["snapshot later"] = outcome(real.create_snapshot)
    told["restore later"] = outcome(lambda: collections.restore("another", kept))
    while tending.tend(real):
        pass
    told["indexes later"] = sorted(path.name for path in (real.store.path.parent / FOLDER).glob("*"))
    require_reads(real, oracle)
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
