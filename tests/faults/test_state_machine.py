"""The search room behaves like a dictionary with NumPy, whatever is done to it and in whatever order.

Everything is drawn from a seed, TEST_SEED; TEST_OPERATIONS sets how many things are done to each kind of index.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from service.search.indexes import graph
from service.search.points import IndexKind, Storage
from tests.faults.driver import WEIGHTS, Driver
from tests.faults.thresholds import KINDS, kind_in_force, lower_thresholds

SEED = int(os.environ.get("TEST_SEED", "1"))
OPERATIONS = int(os.environ.get("TEST_OPERATIONS", "300"))
LEAST_RECALL = 0.95


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("index", "storage"), KINDS)
def test_every_kind_of_index_equals_a_dictionary_and_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexKind, storage: Storage
) -> None:
    if index == graph.GraphIndex.kind and not graph.is_available():
        pytest.skip("the kernel of the graph is not built on this machine")
    lower_thresholds(monkeypatch.setattr)
    driver = Driver(f"{SEED} {index} {storage}", tmp_path, index, storage)
    print(f"seed {SEED}, {OPERATIONS} operations")
    driver.run(OPERATIONS)
    driver.close()
    seen = driver.seen
    recall = float(np.mean(seen.recalls or [1.0]))
    print(f"{dict(seen.kinds)}, {seen.rebuilt} rebuilt, {seen.believed} read again, recall {recall:.4f}")
    assert recall >= LEAST_RECALL
    if 10 * len(WEIGHTS) <= OPERATIONS:
        _require_a_proof(driver, index)


def _require_a_proof(driver: Driver, index: IndexKind) -> None:
    """That what should be rare happened at all."""
    seen = driver.seen
    assert seen.kinds[kind_in_force(index)] > 10
    if index != "flat":
        assert seen.rebuilt
        assert seen.believed
