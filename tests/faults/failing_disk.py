"""A process whose disk fails in SQLite's hands: one call after the other, and some after each other.

python -m tests.faults.failing_disk FOLDER SEED PLANS

Below the checksums, every call for a file goes through here. A plan says which kind of call fails, from which one on
and how many times. Prints what happened, as JSON.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from service.errors import StorageFull, StoreError, Unavailable
from service.search.embedded import tending
from service.search.embedded.collection import StoredCollection
from service.search.embedded.collections import Collections
from service.search.points import Search
from tests.faults.drawn import draw_vector
from tests.faults.oracle import Oracle, require_hits_exact, require_same_points
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, note, writes
from tests.faults.writer import NAME, open_data

CALLS = {"xWrite": 400, "xSync": 40, "xRead": 20}  # and how many of them may go well first
OPERATIONS = 40


@dataclass(slots=True)
class Plan:
    """Which calls fail; `waiting` of that kind go well before."""

    call: str
    waiting: int
    times: int
    full: bool
    failed: int = 0

    def meet(self, call: str) -> None:
        """Raise where this one is to fail."""
        if call != self.call or not self.times:
            return
        if self.waiting:
            self.waiting -= 1
            return
        self.times -= 1
        self.failed += 1
        error: Any = apsw.FullError("disk full") if self.full else apsw.IOError("disk I/O error")
        error.extendedresult = apsw.SQLITE_FULL if self.full else apsw.SQLITE_IOERR
        raise error


NO_PLAN = Plan("", 0, 0, False)
plan = NO_PLAN


class File(apsw.VFSFile):
    """A file of the system, whose calls may fail."""

    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        plan.meet("xWrite")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        plan.meet("xSync")
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        plan.meet("xRead")
        return super().xRead(amount, offset)


class Disk(apsw.VFS):
    """The system's files, through File."""

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> File:  # noqa: N802
        return File(name, flags)


def fail(new: Plan) -> None:
    """From now on."""
    global plan
    plan = new


class Story:
    """One data directory, written to while its disk fails."""

    def __init__(self, data_dir: Path, seed: str) -> None:
        self.told: Counter[str] = Counter()
        self._data_dir = data_dir
        self._draw = random.Random(seed)
        self._oracle = Oracle("dot")
        self._following = writes(seed)

    def tell(self) -> Counter[str]:
        """All of it, for one plan."""
        with closing(open_data(self._data_dir, tended=False)) as collections:
            self._real = collections.create(NAME, space="s", metric="dot", index="hnsw")
            self._work(10)
            fail(self._plan())
            self._work(OPERATIONS)
            self._meanwhile(collections)
            self.told["failed calls"] += plan.failed
            fail(NO_PLAN)
            assert collections.verify() == []
            self._require_right(self._real)
            self._work(3)
            self._require_right(self._real)
        self._open_while_failing()
        with closing(open_data(self._data_dir, tended=False)) as collections:
            self._require_right(collections.get(NAME))
            assert collections.verify() == []
        return self.told

    def _plan(self) -> Plan:
        call = self._draw.choice([*CALLS])
        return Plan(
            call, self._draw.randrange(CALLS[call]), self._draw.choice([1, 1, 2, 30]), self._draw.random() < 0.3
        )

    def _work(self, number: int) -> None:
        """Writes, of which only the acknowledged ones are noted; and searches, which may be refused and never wrong."""
        for write in islice(self._following, number):
            if self._tried("write", lambda: apply(write, self._real)):  # noqa: B023
                note(write, self._oracle)
            if self._draw.random() < 0.3:
                self._tried("read", lambda: self._require_right(self._real))
            if self._draw.random() < 0.2:
                self._tried("tend", lambda: tending.tend(self._real))

    def _meanwhile(self, collections: Collections) -> None:
        """What is more than a write."""

        def restore() -> None:
            info = self._real.create_snapshot()
            restored = collections.restore("again", self._real.snapshot_path(info.name), replace=True)
            self._require_right(restored)

        self._tried("restore", restore)

    def _tried(self, what: str, act: Callable[[], object]) -> bool:
        try:
            act()
        except (StorageFull, Unavailable):
            self.told[f"{what} refused"] += 1
            return False
        self.told[f"{what} done"] += 1
        return True

    def _require_right(self, real: StoredCollection) -> None:
        require_same_points(real.scroll(limit=10**6).points, [*self._oracle.points], self._oracle)
        query = draw_vector(self._draw)
        search = Search(queries=query[None], limit=20, exact=True)
        require_hits_exact(real.search(search)[0], self._oracle.ranked(query, search, lambda *_: True)[:20], 0)

    def _open_while_failing(self) -> None:
        fail(self._plan())
        try:
            open_data(self._data_dir, tended=False).close()
            self.told["open done"] += 1
        except StoreError:
            self.told["open refused"] += 1
        fail(NO_PLAN)


def main(folder: Path, seed: str, plans: int) -> dict[str, int]:
    """As many stories as there are plans."""
    lower_thresholds()
    disk = Disk()
    told: Counter[str] = Counter()
    for number in range(plans):
        story = Story(folder / str(number), f"{seed} {number}")
        try:
            told += story.tell()
        except Exception as error:
            raise AssertionError(f"plan {number}: {plan}") from error
    disk.unregister()
    return dict(told)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
