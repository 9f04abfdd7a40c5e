"""Ready again: from a kept index, and after a kill without one; and the memory that a compact collection takes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread
from benchmarks.peers.worker import ROOT, environment
from benchmarks.search.embedding import shipped
from benchmarks.search.kept import copied, kept, making
from benchmarks.search.report import Report
from models.bench.tables import Table
from models.cores import usable_cores
from service.search.embedded.opening import FOLDER

WRITES = 4  # after which the process is killed


@dataclass(frozen=True, slots=True)
class Case:
    """What a start finds."""

    killed: bool
    """The process before was killed while it wrote, and the index is gone."""
    cold: bool
    """Nothing of the files is in the system's memory."""

    @property
    def name(self) -> str:
        """In words."""
        before = "killed while writing, no index" if self.killed else "ended, index kept"
        return f"{before}; {'files not in memory' if self.cold else 'files in memory'}"


CASES = (Case(False, False), Case(False, True), Case(True, False), Case(True, True))
WATCHED = CASES[:3]  # in the first round, until everything is done; the last one would take minutes once more
LATER = (("whole_s", 1), ("verified_s", 1), ("memory_mb", 0), ("highest_mb", 0))

Facts = dict[str, float]


def measure(count: int, rounds: int) -> Report:
    """Open the same points in each case.

    Raises:
        RuntimeError: a process failed.
    """
    folder = kept(count, "int8")
    seen: dict[Case, list[Facts]] = {case: [] for case in CASES}
    with copied(folder) as scratch:
        _kill_while_writing(scratch)
        for number in track(range(rounds), description="starts", console=Console(stderr=True)):
            for case in CASES:
                where = scratch if case.killed else folder
                if case.killed:
                    _lose_index(scratch)
                _touch(where, cold=case.cold)
                seen[case].append(_opened(where, to_the_end=number == 0 and case in WATCHED))
    return report(seen, making(folder), f"{count:,} points, storage int8, {rounds} rounds")


@contextmanager
def _child(folder: Path, then: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "benchmarks.search.ways.reopened", str(folder), shipped()[0].fingerprint, then]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(usable_cores()), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _kill_while_writing(folder: Path) -> None:
    with _child(folder, "write") as process:
        for _ in range(1 + WRITES):
            _fact(process)


def _lose_index(folder: Path) -> None:
    for index in (folder / FOLDER).iterdir():
        index.unlink()


def _opened(folder: Path, *, to_the_end: bool) -> Facts:
    """What the process says until it has answered, or until it has verified everything."""
    facts: Facts = {}
    last = "verified_s" if to_the_end else "first_answer_s"
    with _child(folder, "wait") as process:
        while last not in facts:
            facts |= _fact(process)
    return facts


def _fact(process: "subprocess.Popen[str]") -> Facts:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("the process that opens the data directory has ended; its message is above")
    fact: Facts = json.loads(line)
    return fact


def _touch(folder: Path, *, cold: bool) -> None:
    """Take the files out of the system's memory, or read them into it."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                if cold:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                while not cold and file.read(1 << 24):
                    pass


def report(seen: dict[Case, list[Facts]], made: Facts, what: str) -> Report:
    """Times, and memory."""
    rows = []
    for case, rounds in seen.items():
        times = [Spread.of([facts[name] for facts in rounds]).told(1) for name in ("open_s", "first_answer_s")]
        later = [f"{rounds[0][name]:,.{digits}f}" if name in rounds[0] else "" for name, digits in LATER]
        rows.append((case.name, *times, *later))
    header = ("before", "open s", "answered s", "index whole s", "all rows read s", "resident MB", "highest MB")
    notes = {
        "made": f"writing the points took {made['write_s']:,.0f} s, the index {made['index_s']:,.0f} s more",
        "index": f"{seen[CASES[0]][0]['index_mb']:,.0f} MB of the resident memory",
    }
    return Report((Table(f"Ready again: {what}", header, tuple(rows)),), figures(seen, made), notes)


def figures(seen: dict[Case, list[Facts]], made: Facts) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    return {"made": made, "starts": [{**asdict(case), "rounds": rounds} for case, rounds in seen.items()]}
