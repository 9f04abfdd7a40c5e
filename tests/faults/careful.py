"""A process that writes and takes a refusal for what it is, while something outside makes its system calls fail.

python -m tests.faults.careful DATA_DIR SEED WRITES CALLS

CALLS are those that fail: reads may be refused only where it is them. Compares what it reads with what was
acknowledged, and prints the numbers of the writes that were, as JSON.
"""

import json
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from service.errors import StorageFull, Unavailable
from service.search.embedded import tending
from service.search.embedded.collection import StoredCollection
from tests.faults.full_disk import require_reads
from tests.faults.oracle import Oracle
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, note, writes
from tests.faults.writer import NAME, open_data

Refusals: TypeAlias = tuple[type[Unavailable], ...]


def write_all(real: StoredCollection, oracle: Oracle, seed: str, count: int, may_refuse: Refusals) -> list[int]:
    """The numbers of those that were acknowledged."""
    acknowledged = []
    for number, write in enumerate(islice(writes(seed), count)):
        with suppress(StorageFull, Unavailable):
            apply(write, real)
            note(write, oracle)
            acknowledged.append(number)
        if number % 10 == 0:
            with suppress(*may_refuse):
                require_reads(real, oracle)
            with suppress(StorageFull, Unavailable):
                for _ in range(10):
                    tending.tend(real)
    return acknowledged


def main(data_dir: Path, seed: str, count: int, calls: str) -> list[int]:
    lower_thresholds()
    collections = open_data(data_dir, tended=False)
    real = collections.create(NAME, space="s", metric="dot", index="hnsw")
    oracle = Oracle("dot")
    may_refuse: Refusals = (Unavailable,) if calls == "pread64" else ()
    acknowledged = write_all(real, oracle, seed, count, may_refuse)
    with suppress(*may_refuse):
        require_reads(real, oracle)
    collections.close()
    return acknowledged


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])))
