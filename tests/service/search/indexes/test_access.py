"""Many who read, or one who writes."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.search.indexes.access import Access

SOON = 5  # seconds, for what must happen
WHILE = 0.05  # for what must not


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_readers_are_in_at_the_same_time() -> None:
    access, both = Access(), threading.Barrier(3)

    def read() -> None:
        with access.reading():
            both.wait(SOON)

    threads = [started(read) for _ in range(3)]
    for thread in threads:
        thread.join(SOON)
    assert not both.broken


def test_a_writer_waits_for_readers_and_readers_for_a_writer() -> None:
    access, events = Access(), list[str]()

    def write() -> None:
        with access.writing():
            events.append("write")
            time.sleep(WHILE)
            events.append("written")

    def read() -> None:
        with access.reading():
            events.append("read")

    with access.reading():
        writer = started(write)
        time.sleep(WHILE)
        assert events == []
        reader = started(read)
    writer.join(SOON)
    reader.join(SOON)
    assert events == ["write", "written", "read"]


def test_a_writer_goes_before_readers_who_come_later() -> None:
    """Else searches without end would keep a write waiting without end."""
    access, stop, written = Access(), threading.Event(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            with access.reading():
                time.sleep(0.002)

    def write() -> None:
        with access.writing():
            written.set()

    readers = [started(read) for _ in range(4)]
    time.sleep(0.01)
    started(write)
    came = written.wait(SOON)
    stop.set()
    for reader in readers:
        reader.join(SOON)
    assert came


def test_writers_are_alone() -> None:
    access, inside, most = Access(), [0], [0]

    def write() -> None:
        for _ in range(50):
            with access.writing():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write) for _ in range(4)]:
            done.result(SOON)
    assert most == [1]


def test_an_error_inside_gives_the_lock_back() -> None:
    access = Access()
    for lock in (access.reading, access.writing):
        with pytest.raises(ValueError, match="inside"), lock():
            raise ValueError("inside")
    done = threading.Event()

    def write() -> None:
        with access.writing():
            done.set()

    started(write)
    assert done.wait(SOON)
