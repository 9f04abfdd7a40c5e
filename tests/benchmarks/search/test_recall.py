"""Recall is counted rightly, the least breadth is found, and ratios are to the best peer."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.recall import (
    FORMS,
    OURS,
    OWN,
    SEARCHERS,
    TARGETS,
    TOLD,
    WAYS,
    Measured,
    against_best,
    hand_over,
    report,
)
from benchmarks.search.recall import least as least_breadth
from benchmarks.search.truth import nearest, recall
from benchmarks.search.vectors import Corpus, Vectors
from benchmarks.search.worker import Built, Way, Worker


def points(count: int, width: int = 16, seed: int = 0) -> Vectors:
    made = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    unit: Vectors = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def test_the_truth_is_what_a_full_sort_gives() -> None:
    queries, base = points(130, seed=1), points(500)
    found = nearest(queries, base)
    wanted = np.argsort(-(queries @ base.T), axis=1)[:, :10]
    assert [set(row) for row in found.tolist()] == [set(row) for row in wanted.tolist()]


def test_recall_is_the_share_of_the_truth_that_was_found() -> None:
    truth = np.array([[1, 2], [3, 4]])
    assert recall([[2, 1], [4, 3]], truth) == 1.0
    assert recall([[1, 9, 8], []], truth) == 0.25
    with pytest.raises(ValueError, match="argument 2 is longer"):
        recall([[1, 2]], truth)


@pytest.mark.parametrize("wanted", [10, 11, 77, 1024])
def test_the_least_breadth_is_found_and_looked_at_last(wanted: int) -> None:
    asked: list[int] = []

    def reached(breadth: int) -> bool:
        asked.append(breadth)
        return breadth >= wanted

    assert least_breadth(reached, 10, 1024) == wanted
    assert asked[-1] == wanted
    assert len(asked) < 15


def test_a_recall_that_is_never_reached_is_told() -> None:
    assert least_breadth(lambda _: False, 10, 1024) is None


def measured(rates: dict[str, list[float]]) -> Measured:
    breadths: dict[tuple[str, float], tuple[int, float] | None] = {
        (name, target): (32, 0.951) if name in rates else None for name in WAYS for target in TARGETS
    }
    cells = {(name, target, form): its for name, its in rates.items() for target in TARGETS for form in FORMS}
    return Measured(dict.fromkeys(WAYS, Built(2.0, 300.0)), breadths, cells)


def test_ours_is_held_against_the_best_peer_of_the_cell_round_by_round() -> None:
    found = measured({OURS: [200.0, 30.0], "hnswlib float32": [100.0, 10.0], "usearch float32": [50.0, 5.0]})
    best, ratio = against_best(found, TARGETS[0], FORMS[0])
    assert (best, ratio.told()) == ("hnswlib float32", "2.50 (2.00 to 3.00)")


def test_our_own_ways_are_no_peers() -> None:
    rates = {name: [1000.0] if name.removesuffix(TOLD) in OWN else [5.0] for name in SEARCHERS}
    rates |= {OURS: [10.0], "usearch int8": [20.0]}
    assert set(OWN) == {OURS, f"{OURS}, storage int8"}
    assert against_best(measured(rates), TARGETS[0], FORMS[0])[0] == "usearch int8"


def test_every_cell_and_what_is_never_reached_are_in_the_tables_and_the_figures() -> None:
    made = report(measured({OURS: [200.0], "hnswlib float32": [100.0]}), "some")
    ratios, rates, building = made.tables
    assert len(ratios.rows) == len(FORMS) * len(TARGETS)
    assert len(rates.rows) == 2 * len(FORMS) * len(TARGETS) == len(made.figures["rates"])
    told = {row[0]: row[3] for row in building.rows}
    assert (told["usearch int8"], told[OURS]) == ("never", "32, 0.9510")


def test_a_worker_of_ours_finds_what_there_is_whatever_the_form(tmp_path: Path) -> None:
    base, queries = points(300), points(40, seed=1)
    hand_over(Corpus(base, [f"text {row}" for row in range(300)], queries, [""] * 40), tmp_path)
    with Worker(Way(None, "collection", "float32"), tmp_path, threads=1) as worker:
        built = worker.build(threads=1)
        assert built.seconds > 0
        for size in (1, 7):
            assert recall(worker.found(32, size), nearest(queries, base)) == 1.0
        for told in (False, True):
            assert 0 < worker.seconds(breadth=32, size=7, threads=2, told=told) < 60


def test_a_worker_that_cannot_start_is_told(tmp_path: Path) -> None:
    with (
        Worker(Way(None, "nothing", ""), tmp_path, threads=1) as worker,
        pytest.raises(RuntimeError, match="has ended"),
    ):
        worker.build(threads=1)
