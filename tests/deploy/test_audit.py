"""What `make audit` says of what it is told; the list of vulnerabilities itself is somewhere else."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
IGNORED = "audit-ignored.toml"
FOUND = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.0"], "description": "bad"}
TODAY = date.today().isoformat()
ENTRY = '[[ignored]]\nid = "CVE-1"\npackage = "thing"\ndate = {date}\nreason = "{reason}"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With the script and a lock, and nothing that is ignored."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "audit.py", tmp_path / ".ci")
    (tmp_path / ".ci" / IGNORED).write_text("")
    for name in ("requirements.lock", "requirements-torch.txt"):
        (tmp_path / name).write_text("thing==1.0\n")
    return tmp_path


def audited(repository: Path, answer: str, *, status: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run the script with a tool that answers so."""
    tool = repository / "tool"
    tool.write_text(f"#!/bin/sh\necho \"$@\" >> {repository}/asked\ncat <<'END'\n{answer}\nEND\nexit {status}\n")
    tool.chmod(0o755)
    command = [sys.executable, str(repository / ".ci" / "audit.py"), str(tool)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answer(*vulnerabilities: dict[str, Any]) -> str:
    return json.dumps({"dependencies": [{"name": "thing", "version": "1.0", "vulns": vulnerabilities}], "fixes": []})


def ignore(repository: Path, *, since: str, reason: str = "It is not called.") -> None:
    (repository / ".ci" / IGNORED).write_text(ENTRY.format(date=since, reason=reason))


def test_versions_without_known_vulnerabilities_pass(repository: Path) -> None:
    done = audited(repository, answer())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 versions looked up, 0 vulnerabilities ignored, 0 complaints\n"
    asked = (repository / "asked").read_text()
    assert re.findall(r"-r \S*/(\S+)", asked) == ["requirements.lock", "requirements-torch.txt"]


def test_a_known_vulnerability_fails_with_its_cure(repository: Path) -> None:
    done = audited(repository, answer(FOUND), status=1)
    assert done.returncode == 1
    assert done.stderr == "thing 1.0 has CVE-1, PYSEC-1; mended in: 2.0.\n"


def test_without_the_network_it_says_so_in_one_sentence_and_fails(repository: Path) -> None:
    done = audited(repository, "", status=1)
    assert done.returncode == 1
    assert re.fullmatch(r"The list of vulnerabilities does not answer, so nothing was audited \(.+\)\.\n", done.stderr)


def test_a_version_that_cannot_be_looked_up_fails(repository: Path) -> None:
    known = {"name": "other", "version": "1.0", "vulns": []}
    skipped = {"name": "thing", "skip_reason": "nobody knows it"}
    done = audited(repository, json.dumps({"dependencies": [known, skipped]}))
    assert (done.returncode, done.stderr) == (1, "thing could not be looked up: nobody knows it.\n")


def test_a_list_that_knows_nothing_at_all_is_told_in_one_sentence(repository: Path) -> None:
    skipped = {"dependencies": [{"name": "thing", "skip_reason": "nobody knows it"}]}
    done = audited(repository, json.dumps(skipped))
    told = "The list of vulnerabilities knows none of the 1 versions, so nothing was audited.\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_what_is_ignored_with_date_and_reason_passes(repository: Path) -> None:
    ignore(repository, since=TODAY)
    assert audited(repository, answer(FOUND), status=1).returncode == 0


@pytest.mark.parametrize(
    ("since", "reason", "found", "told"),
    [
        ("2020-01-01", "It is not called.", [FOUND], "CVE-1 of thing is ignored since 2020-01-01: look at it again."),
        (TODAY, "It is not called.", [], "CVE-1 of thing is ignored, and is not there any more."),
        (TODAY, " ", [FOUND], "CVE-1 needs a date"),
        ('"yesterday"', "It is not called.", [FOUND], "CVE-1 needs a date"),
    ],
    ids=["old", "of no use", "no reason", "no date"],
)
def test_an_entry_that_is_old_or_incomplete_or_of_no_use_fails(
    repository: Path, since: str, reason: str, found: list[dict[str, Any]], told: str
) -> None:
    ignore(repository, since=since, reason=reason)
    done = audited(repository, answer(*found))
    assert done.returncode == 1
    assert told in done.stderr


def test_everything_that_is_ignored_has_a_date_and_a_reason() -> None:
    ignored = tomllib.loads((ROOT / ".ci" / IGNORED).read_text(encoding="utf-8")).get("ignored", [])
    assert all(entry.keys() == {"id", "package", "date", "reason"} for entry in ignored)


def test_the_tool_itself_is_installed_by_hash() -> None:
    lock = (ROOT / "requirements-audit.lock").read_text(encoding="utf-8")
    assert re.search(r"^pip-audit==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--require-hashes --only-binary :all: -r requirements-audit.lock" in makefile
