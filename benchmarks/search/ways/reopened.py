"""Opens a data directory and says how long it took and what memory it takes; then writes until it is killed, if asked.

    python -m benchmarks.search.ways.reopened FOLDER FINGERPRINT wait|write

A line of JSON for each thing that has come to pass.
"""

import json
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.search.ours import BATCH, NAME, fill, opened, settle
from service.search.embedded.collection import StoredCollection
from service.search.points import Search

WIDTH = 384
SEARCHES = 1_000
FIRST_NEW = 10_000_000  # an id that no point has


def main(folder: str, fingerprint: str, then: str) -> None:
    """Open, search, wait until the index is whole, search more; or open and write on."""
    chance = np.random.default_rng(0)
    started = time.perf_counter()
    with opened(Path(folder), WIDTH, fingerprint) as collections:
        collection = collections.get(NAME)
        say(open_s=time.perf_counter() - started, points=collection.count(), memory_mb=resident_mb())
        if then == "write":
            for number in count():
                fill(
                    collection, chance.normal(size=(BATCH, WIDTH)).astype(np.float32), first=FIRST_NEW + BATCH * number
                )
                say(written=BATCH)
        search(collection, chance, 1)
        say(first_answer_s=time.perf_counter() - started)
        settle(collection)
        say(whole_s=time.perf_counter() - started, kind=collection.report().kind)
        search(collection, chance, SEARCHES)
        say(memory_mb=resident_mb(), index_mb=collection.report().memory_bytes / 1e6)
        while collection.unverified:
            time.sleep(0.1)
        say(verified_s=time.perf_counter() - started, memory_mb=resident_mb(), highest_mb=resident_mb("VmHWM:"))


def search(collection: StoredCollection, chance: np.random.Generator, times: int) -> None:
    """With queries of no meaning, which walk over the whole index."""
    for query in chance.normal(size=(times, 1, WIDTH)).astype(np.float32):
        collection.search(Search(query))


def resident_mb(name: str = "VmRSS:") -> float:
    """Memory of this process, from Linux's own books."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def say(**facts: float | str) -> None:
    """To whoever started this process."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
