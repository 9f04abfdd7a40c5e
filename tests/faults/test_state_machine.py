"""The search room behaves like a dictionary with NumPy, whatever is done to it and in whatever order.

Everything is drawn from a seed, TEST_SEED; TEST_OPERATIONS sets how many things are done to each kind of index.
"""

from pathlib import Path

import numpy as np
import pytest

from service.search.indexes import graph
from service.search.points import IndexKind, Storage
from tests.faults.driver import Driver
from tests.faults.knobs import SEED, number, tell
from tests.faults.thresholds import KINDS, kind_in_force, lower_thresholds

OPERATIONS = number("TEST_OPERATIONS", 300)
LEAST_RECALL = 0.95
ENOUGH = 1_000  # operations after which what is rare has happened, too


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("index", "storage"), KINDS)
def test_every_kind_of_index_equals_a_dictionary_and_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexKind, storage: Storage
) -> None:
    if index == graph.GraphIndex.kind and not graph.is_available():
        pytest.skip("the kernel of the graph is not built on this machine")
    lower_thresholds(monkeypatch.setattr)
    driver = Driver(f"{SEED} {index} {storage}", tmp_path, index, storage)
    driver.run(OPERATIONS)
    driver.close()
    seen = driver.seen
    recall = float(np.mean(seen.recalls or [1.0]))
    tell(
        f"{OPERATIONS} operations on {index} {storage}, searches {dict(seen.kinds)}, {seen.rebuilt} rebuilds,"
        f" {seen.believed} kept indexes used, recall {recall:.4f}"
    )
    assert recall >= LEAST_RECALL
    assert seen.kinds[kind_in_force(index)] > OPERATIONS // 20
    if OPERATIONS >= ENOUGH and index != "flat":
        assert seen.rebuilt
        assert seen.believed
