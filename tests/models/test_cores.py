from pathlib import Path

import pytest

from models.cores import usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 8), ("", 8), ("x y", 8)],
    ids=["two", "rounded up", "at least one", "no limit", "empty", "unreadable"],
)
def test_quota_of_cgroup_v2_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path, affinity=8) == cores


@pytest.mark.parametrize(("quota", "cores"), [("300000", 3), ("-1", 8)], ids=["three", "no limit"])
def test_quota_of_cgroup_v1_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path, affinity=8) == cores


def test_affinity_bounds_a_larger_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("800000 100000")
    assert usable_cores(tmp_path, affinity=2) == 2


def test_a_zero_period_is_no_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 0")
    assert usable_cores(tmp_path, affinity=3) == 3


def test_this_machine_has_at_least_one_core() -> None:
    assert usable_cores() >= 1
