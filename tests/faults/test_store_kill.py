"""A write that was acknowledged survives SIGKILL at any moment.

The moments are drawn from a seed, TEST_SEED; TEST_KILLS sets how many there are.
"""

import os
import random
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from service.search.embedded.collection import StoredCollection as Collection
from service.search.embedded.collections import Collections

SEED = int(os.environ.get("TEST_SEED", "1"))
KILLS = int(os.environ.get("TEST_KILLS", "20"))
WIDTH = 16
MOST = 32  # points in a batch
RUN = 10**6  # numbers of batches set apart for each start of the writer
REPOSITORY = Path(__file__).parents[2]

WRITER = """
import random, sys
from pathlib import Path
import numpy as np
from service.search.embedded.collections import Collections
from service.search.points import Point

data_dir, first, seed, width, most = Path(sys.argv[1]), *map(int, sys.argv[2:])
draw = random.Random(seed)
collections = Collections.open(data_dir, fingerprint="f", dimensions={"s": width}, max_points=10**9)
collection = collections.get_or_create("kept", space="s", metric="dot")
print("ready", flush=True)
for batch in range(first, first + 10**6):
    size = draw.randint(1, most)
    vector = np.full(width, batch - first + 1, np.float32)
    collection.upsert([Point(f"{batch}-{i}", vector, f"size {size}") for i in range(size)])
    print("written", batch, flush=True)
    if batch % 3 == 2 and size > 1:
        print("delete-begun", batch, flush=True)
        collection.delete([f"{batch}-0"])
        print("deleted", batch, flush=True)
"""


def open_data(data_dir: Path) -> Collections:
    return Collections.open(data_dir, fingerprint="f", dimensions={"s": WIDTH}, max_points=10**9)


def write_until_killed(data_dir: Path, first: int, draw: random.Random) -> list[tuple[str, int]]:
    """Start the writer, kill it 20 to 200 ms after it began to write; what it acknowledged."""
    arguments = [str(data_dir), str(first), str(draw.randrange(10**6)), str(WIDTH), str(MOST)]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        timer = threading.Timer(draw.uniform(0.02, 0.2), writer.kill)
        timer.start()
        lines = writer.stdout.read().split("\n")[:-1]  # a line cut short was not acknowledged
    timer.join()
    return [(kind, int(batch)) for kind, batch in (line.split() for line in lines)]


def test_no_acknowledged_write_is_lost_and_no_batch_is_half_there(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    begun: list[int] = []
    acknowledged: set[tuple[str, int]] = set()
    for first in range(0, KILLS * RUN, RUN):
        answers = write_until_killed(tmp_path, first, draw)
        acknowledged.update(answers)
        written = sum(what == "written" for what, _ in answers)
        begun += range(first, first + written + 1)  # the last one may be there or not, but never in part
    assert len(acknowledged) > KILLS
    with closing(open_data(tmp_path)) as collections:
        kept = collections.get("kept")
        counts = [points_of(kept, batch, acknowledged) for batch in begun]
        assert kept.count() == sum(counts)
        assert collections.verify() == []


def points_of(kept: Collection, batch: int, acknowledged: set[tuple[str, int]]) -> int:
    """How many points of the batch there are, after checking that they are the right ones.

    Opening has verified digests and counts; this compares with what the writer was told.
    """
    where = f"batch {batch}, seed {SEED}"
    found = kept.get([f"{batch}-{i}" for i in range(MOST)])
    assert found or ("written", batch) not in acknowledged, f"{where}: lost"
    size = int((found[0].text or "").split()[1]) if found else 0
    missing = {f"{batch}-{i}" for i in range(size)} - {point.id for point in found}
    assert missing <= {f"{batch}-0"}, f"{where}: half there"  # the only one that is ever deleted
    assert missing or not size or ("deleted", batch) not in acknowledged, f"{where}: a deleted point is back"
    assert not missing or ("delete-begun", batch) in acknowledged, f"{where}: lost a point"
    assert all(point.vector.tolist() == [batch % RUN + 1] * WIDTH for point in found), f"{where}: another vector"
    return len(found)
