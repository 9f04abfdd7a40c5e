import threading
import time
from collections.abc import Sequence

import pytest

from service.commands.batches import Batch, Draft
from service.commands.client import Client
from service.commands.errors import Refused
from service.commands.pipeline import write_all
from service.commands.writer import Outcome, Writer


class Recorder(Writer):
    """Takes its time, and notes which ids are on their way together."""

    def __init__(self, together: list[set[int | str]], lock: threading.Lock) -> None:
        super().__init__(Client("http://nobody"), "c", "replace")
        self._together = together
        self._lock = lock
        self.seen: list[int | str] = []

    def write(self, drafts: Sequence[Draft]) -> Outcome:
        ids = {draft.id for draft in drafts}
        if "bad" in ids:
            raise Refused(404, "gone")
        with self._lock:
            clash = any(ids & others for others in self._together)
            self._together.append(ids)
        time.sleep(0.01 if 0 in ids else 0.002)
        with self._lock:
            self._together.remove(ids)
        self.seen += sorted(map(str, ids))
        return Outcome(written=len(drafts), skipped=int(clash))


def recorders() -> list[Recorder]:
    together: list[set[int | str]] = []
    lock = threading.Lock()
    return [Recorder(together, lock) for _ in range(2)]


def batch(number: int, *ids: int | str) -> Batch[int]:
    return Batch(number, [Draft(number, point_id, b"{}") for point_id in ids])


def test_batches_are_acknowledged_in_their_order_and_written_by_all() -> None:
    writers = recorders()
    told: list[int] = []
    write_all((batch(n, n) for n in range(30)), writers, lambda done, _: told.append(done.mark))
    assert told == list(range(30))
    assert all(len(writer.seen) == 15 for writer in writers)


def test_batches_with_one_id_are_never_on_their_way_together() -> None:
    clashes = []
    write_all(
        (batch(n, n % 3, "x" if n % 2 else n + 100) for n in range(60)),
        recorders(),
        lambda _, outcome: clashes.append(outcome.skipped),
    )
    assert clashes == [0] * 60


def test_a_failure_ends_all_and_what_was_acknowledged_came_before_it() -> None:
    told: list[int] = []
    writers = recorders()
    batches = [*(batch(n, n) for n in range(5)), batch(5, "bad"), *(batch(n, n) for n in range(6, 50))]
    with pytest.raises(Refused, match="gone"):
        write_all(batches, writers, lambda done, _: told.append(done.mark))
    assert told == [0, 1, 2, 3, 4]
    assert sum(len(writer.seen) for writer in writers) <= 7


def test_a_failure_of_who_is_told_ends_all() -> None:
    def full(*_: object) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_all((batch(n, n) for n in range(9)), recorders(), full)
