"""What is told of writes, filters, starts and servers: figures beside those of the same round, and files of them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import filtered, start, writes
from benchmarks.search.beside import QUIET, WRITTEN, Seen, report
from benchmarks.search.filtered import CASES, PLAIN, Case, Measured
from benchmarks.search.kept import ALONG, ANYWHERE, fields
from benchmarks.search.report import Report, finish
from models.bench.tables import Table


def test_figures_go_to_a_file_with_the_state_of_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Report((Table("Some", ("a",), (("1",),)),), {"rates": [1.5]}, {"note": "so"})
    finish(made, as_markdown=True, to=tmp_path / "figures.json")
    kept = json.loads((tmp_path / "figures.json").read_text())
    assert kept["rates"] == [1.5]
    assert kept["notes"]["note"] == "so"
    assert "load" in kept["notes"]["machine"]
    assert "| 1 |" in capsys.readouterr().out


def test_latencies_beside_writes_are_over_those_without_in_the_same_round() -> None:
    seen = {(0, QUIET): Seen([1.0, 2.0], [2.0, 4.0]), (0, WRITTEN): Seen([1.0, 3.0], [6.0, 8.0])}
    [table] = report(seen, "some").tables
    assert table.rows[1][2:] == (
        "2.00 (1.00 to 3.00)", "1.25 (1.00 to 1.50)", "7.00 (6.00 to 8.00)", "2.50 (2.00 to 3.00)",
    )  # fmt: skip


def test_a_filter_is_timed_over_no_filter_and_told_by_its_share() -> None:
    found = Measured(100, {PLAIN: [0.1, 0.2], CASES[2]: [0.2, 0.2]}, {PLAIN: 0.99, CASES[2]: 1.0})
    [table] = filtered.report(found, "some").tables
    assert table.rows[1] == (ANYWHERE, "1.0%", "the same", "1.0000", "2.00 (2.00 to 2.00)", "1.50 (1.00 to 2.00)")


def test_a_field_lets_through_the_share_that_a_range_says() -> None:
    vectors = np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float32)
    for values in fields(vectors).values():
        assert 0 <= values.min() < values.max() < 1
        assert ((values >= 0.3) & (values < 0.4)).mean() == pytest.approx(0.1, abs=0.02)


def test_one_field_follows_the_vectors_and_the_other_does_not() -> None:
    vectors = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    vectors[:, 3] *= 9
    made = fields(vectors)
    assert abs(np.corrcoef(made[ALONG], vectors[:, 3])[0, 1]) > 0.9
    assert abs(np.corrcoef(made[ANYWHERE], vectors[:, 3])[0, 1]) < 0.1


def test_ranges_are_one_or_another_for_each_search_and_never_beyond_the_end() -> None:
    chance = np.random.default_rng(0)
    same, fresh = Case(ALONG, 0.5, fresh=False), Case(ALONG, 0.5, fresh=True)
    assert len(set(filtered._ranges(same, 50, chance))) == 1
    starts = list(filtered._ranges(fresh, 50, chance))
    assert len(set(starts)) == 50
    assert max(starts) <= 0.5


def test_the_truth_of_a_filter_is_inside_its_range() -> None:
    vectors = np.eye(30, dtype=np.float32)
    values = np.arange(30) / 30
    found = filtered._nearest_in_range(vectors[[2]], vectors, values, start=0.5, share=0.4)
    assert found.shape == (1, 10)
    assert values[found].min() >= 0.5
    assert values[found].max() < 0.9


def test_a_start_tells_times_of_all_rounds_and_memory_of_the_first() -> None:
    facts = {"open_s": 1.0, "first_answer_s": 2.0, "whole_s": 3.0, "verified_s": 4.0, "memory_mb": 600.0}
    first = {**facts, "highest_mb": 700.0, "index_mb": 500.0}
    second = {"open_s": 3.0, "first_answer_s": 4.0}
    seen = {case: [first if case in start.WATCHED else second, second] for case in start.CASES}
    [table] = start.report(seen, {"write_s": 60.0, "index_s": 30.0}, "some").tables
    assert table.rows[0][1:] == ("2.0 (1.0 to 3.0)", "3.0 (2.0 to 4.0)", "3.0", "4.0", "600", "700")
    assert len({row[0] for row in table.rows}) == 4
    assert table.rows[3][2:] == ("4.0 (4.0 to 4.0)", "", "", "", "")


def test_the_disk_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert 0 < writes.sync_ms(tmp_path) < 10_000
    assert os.listdir(tmp_path) == []


def test_rows_of_metadata_have_a_number_and_a_word() -> None:
    assert writes.metadata_of(["Two people wash a car."]) == [{"words": 5, "begins": "Two"}]
