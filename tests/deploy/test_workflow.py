"""What runs on the forge: little may be done by it, nothing foreign is in it, and it is all in the Makefile."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*"))
PINNED = re.compile(r"actions/checkout@[0-9a-f]{40}")
CALL = re.compile(r"make ([a-z-]+)(?: TEST_ARGS=\S+)?")
ONCE_A_WEEK = re.compile(r"\d+ \d+ \* \* \d")


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    parsed: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def jobs(workflow: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workflow["jobs"]
    return found


def steps(jobs: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in jobs.values() for step in job["steps"]]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_there_is_one_workflow() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml"]


def test_it_may_read_the_repository_and_nothing_else(workflow: dict[Any, Any], jobs: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in jobs.values())
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "pull_request_target" not in text


def test_every_step_is_a_target_of_the_makefile(jobs: dict[str, Any]) -> None:
    calls = [CALL.fullmatch(step["run"]) for step in steps(jobs) if "run" in step]
    called = [call.group(1) for call in calls if call is not None]
    assert len(called) == len(calls)
    assert set(called) <= targets()
    assert {"test", "audit", "sbom", "image"} <= set(called)


def test_what_is_not_ours_is_pinned_by_its_commit_and_keeps_no_token(jobs: dict[str, Any]) -> None:
    foreign = [step for step in steps(jobs) if "uses" in step]
    assert len(foreign) == len(jobs)
    for step in foreign:
        assert PINNED.fullmatch(step["uses"]), step["uses"]
        assert step["with"] == {"persist-credentials": False}


def test_no_step_holds_what_somebody_else_can_write(jobs: dict[str, Any]) -> None:
    """A title or the name of a branch in a command would be run."""
    assert not any("${{" in step.get("run", "") for step in steps(jobs))


def test_every_job_ends_and_only_the_newest_one_runs(workflow: dict[Any, Any], jobs: dict[str, Any]) -> None:
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs.values())
    assert workflow["concurrency"]["cancel-in-progress"] is True


def test_known_vulnerabilities_are_looked_up_once_a_week(workflow: dict[Any, Any], jobs: dict[str, Any]) -> None:
    events = workflow[True]  # YAML's word for `on`
    (weekly,) = events["schedule"]
    assert ONCE_A_WEEK.fullmatch(weekly["cron"])
    scheduled = [name for name, job in jobs.items() if "schedule" not in job.get("if", "")]
    assert scheduled == ["audit"]
