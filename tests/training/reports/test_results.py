import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.reports.intervals import Interval
from training.reports.results import ArmResults, in_digits, measure_names, paired, read_arm
from training.reports.tables import difference_table, interval_cell, other_table, similarity_table


def arm(name: str, averages: dict[int, float], **more: float) -> ArmResults:
    return ArmResults(name, {seed: {"average": value, **more} for seed, value in averages.items()})


def test_an_arm_is_the_finished_runs_of_its_folder(finished_run: Callable[..., Path], tmp_path: Path) -> None:
    for seed, average in ((10, 72.0), (9, 70.0), (11, 74.0)):
        finished_run(tmp_path / "mcse" / f"seed-{seed}", average=average)
    unfinished = tmp_path / "mcse" / "seed-12"
    unfinished.mkdir()
    (unfinished / "config.json").write_text("{}")
    (tmp_path / "mcse" / "seed-x").mkdir()
    found = read_arm(tmp_path / "mcse")
    assert found.name == "mcse"
    assert list(found.by_seed) == [9, 10, 11]
    assert found.mean("average") == 72.0
    assert found.deviation("average") == 2.0  # of a sample: divided by n - 1
    assert list(read_arm(tmp_path / "mcse", seeds=(9, 12)).by_seed) == [9]


def test_an_arm_without_runs_is_empty(tmp_path: Path) -> None:
    assert read_arm(tmp_path / "nothing").by_seed == {}


def test_a_cell_has_the_deviation_where_there_is_one() -> None:
    two = arm("a", {1: 70.0, 2: 71.0}, uniformity=-2.34567)
    assert two.cell("average") == f"70.50 ± {statistics.stdev([70, 71]):.2f}"
    assert two.cell("uniformity") == "-2.346 ± 0.000"
    assert two.cell("recall@1") == "–"
    assert arm("a", {1: 70.0}).cell("average") == "70.00"


def test_arms_are_paired_over_the_seeds_that_both_have() -> None:
    first, second = arm("simcse", {1: 70.0, 2: 75.0, 9: 0.0}), arm("mcse", {1: 71.0, 2: 78.0, 3: 99.0})
    found = paired(first, second)
    assert found["average"].difference == pytest.approx(2.0)
    assert found["average"].count == 2
    # differences 1 and 3: deviation sqrt(2), and t with one degree of freedom is 12.7062
    assert found["average"].high == pytest.approx(2 + 12.7062047, abs=1e-6)


def test_a_measure_that_one_run_lacks_is_not_compared() -> None:
    found = paired(arm("simcse", {1: 70.0}), arm("mcse", {1: 71.0}, **{"recall@1": 20.0}))
    assert set(found) == {"average"}


def test_arms_without_a_common_seed_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"simcse has seeds 1, 2, mcse has 3: none in common"):
        paired(arm("simcse", {1: 70.0, 2: 71.0}), arm("mcse", {3: 70.0}))


def test_tables_are_like_the_papers() -> None:
    arms = [arm("simcse", {1: 70.0}), arm("mcse", {1: 71.0, 2: 72.0}, alignment=0.25)]
    table = similarity_table(arms, 2)
    assert table.header == ["arm", "seeds", "STS12", "STS13", "STS14", "STS15", "STS16", "STSB", "SICKR", "average"]
    assert [(row[0], row[1], row[-1]) for row in table.rows] == [
        ("simcse", "1 of 2", "70.00"),
        ("mcse", "2 of 2", "71.50 ± 0.71"),
    ]
    others = other_table(arms)
    assert others is not None
    assert others.markdown() == ("| arm | alignment |\n| --- | ---: |\n| simcse | – |\n| mcse | 0.250 ± 0.000 |")
    assert other_table(arms[:1]) is None
    assert measure_names(arms)[-1] == "alignment"


def test_differences_have_their_sign_and_interval() -> None:
    known, unknown = Interval(0.5, -0.25, 1.25, 3), Interval(-0.5, math.nan, math.nan, 1)
    assert interval_cell("average", known) == "+0.50 (-0.25 to +1.25)"
    assert interval_cell("average", unknown) == "-0.50"
    table = difference_table({"b − a": {"average": known}, "c − a": {"average": unknown, "alignment": known}})
    assert table.header == ["difference", "seeds", "average", "alignment"]
    assert table.rows[0] == ["b − a", "3", "+0.50 (-0.25 to +1.25)", "–"]
    assert in_digits("average", math.nan) == "–"
