"""A process that makes snapshots, or restores one, again and again until it is killed.

python -m tests.faults.snapshooter DATA_DIR [FILE]
"""

import sys
from pathlib import Path

from tests.faults.thresholds import lower_thresholds
from tests.faults.writer import NAME, open_data

MADE = "made"


def main(data_dir: str, *files: str) -> None:
    lower_thresholds()
    collections = open_data(Path(data_dir))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if files:
            collections.restore(MADE, Path(files[0]), replace=True)
        else:
            collections.get(NAME).create_snapshot()


if __name__ == "__main__":
    main(*sys.argv[1:])
