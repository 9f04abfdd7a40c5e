"""A process that writes until it is killed, and says after each write that it was acknowledged.

python -m tests.faults.writer DATA_DIR SEED INDEX STORAGE
"""

import sys
from pathlib import Path
from typing import Any, get_args

from service.search.embedded.collections import Collections
from service.search.points import IndexKind, Storage
from tests.faults.drawn import WIDTH
from tests.faults.thresholds import lower_thresholds
from tests.faults.workload import apply, writes

NAME = "kept"


def open_data(data_dir: Path, *, tended: bool = True) -> Collections:
    """As the writer opens it."""
    return Collections.open(data_dir, fingerprint="f" * 64, dimensions={"s": WIDTH}, max_points=10**9, tended=tended)


def main(data_dir: str, seed: str, index: Any, storage: Any) -> None:
    lower_thresholds()
    assert index in get_args(IndexKind)
    assert storage in get_args(Storage)
    collections = open_data(Path(data_dir))
    names = [info.name for info in collections.list()]
    if NAME not in names:
        collections.create(NAME, space="s", metric="dot", index=index, storage=storage)
    kept = collections.get(NAME)
    _say("ready")
    for write in writes(seed):
        apply(write, kept)
        _say(write.version)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
