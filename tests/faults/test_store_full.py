"""When the disk is full, writes say so, reads go on, nothing acknowledged is lost, and writes work again later."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# In a process of its own, because the limit on file sizes is for the whole process.
FILL = """
import json, resource, sys
from pathlib import Path
import numpy as np
from service.errors import StorageFull
from service.search.embedded.collections import Collections
from service.search.points import Point, Search

def open_data():
    return Collections.open(Path(sys.argv[1]), fingerprint="f", dimensions={"s": 64}, max_points=10**6)

def batch(number):
    vector = np.full(64, number + 1, np.float32)
    return [Point(f"{number}-{i}", vector, f"text {number}", {"number": number}) for i in range(8)]

collections = open_data()
kept = collections.create("kept", space="s", metric="dot")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
acknowledged = 0
answer = {}
try:
    while True:
        kept.upsert(batch(acknowledged))
        acknowledged += 1
except StorageFull as full:
    answer["message"] = full.message
answer["acknowledged"] = acknowledged
answer["found"] = len(kept.search(Search(queries=np.ones((1, 64), np.float32), limit=10**6))[0])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # not even the smallest write fits any more
answer["failing"] = collections.verify()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
answer["failing later"] = collections.verify()
kept.upsert(batch(acknowledged))
collections.close()
collections = open_data()
kept = collections.get("kept")
answer["batches"] = sum(len(kept.get([point.id for point in batch(n)])) == 8 for n in range(acknowledged + 1))
answer["count"] = kept.count()
collections.close()
print(json.dumps(answer))
"""


def test_a_full_disk_loses_nothing_and_is_survived(tmp_path: Path) -> None:
    filler = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )
    assert filler.returncode == 0, filler.stderr
    answer = json.loads(filler.stdout)
    acknowledged = answer["acknowledged"]
    assert acknowledged > 10
    assert answer["message"].startswith("The disk has no room for this write")
    assert answer["found"] == 8 * acknowledged
    assert (answer["failing"], answer["failing later"]) == (["writable"], [])
    assert (answer["batches"], answer["count"]) == (acknowledged + 1, 8 * acknowledged + 8)
