"""Look the locked versions up in the public list of known vulnerabilities. Needs the network.

    python .ci/audit.py .venv/audit/bin/pip-audit

`audit-ignored.toml` beside this file names those that do not concern us, each with a date and a reason. Exit status 1
where one does, where a version could not be looked up, and where an entry of that file is of no use any more.
"""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IGNORED = Path(__file__).with_name("audit-ignored.toml")
LOCKS = [*sorted(ROOT.glob("requirements*.lock")), ROOT / "requirements-torch.txt"]
LOOKED_AT_AGAIN = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A vulnerability that does not concern us."""

    id: str
    package: str
    date: date
    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.date, date) or not self.reason.strip():
            raise ValueError(f"{IGNORED.name}: {self.id} needs a date (2026-01-31) and a reason.")


def read_ignored(path: Path) -> list[Ignored]:
    """Raises ValueError for an entry that is not complete."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("ignored", [])
    try:
        return [Ignored(**entry) for entry in entries]
    except TypeError as error:
        raise ValueError(f"{path.name}: an entry has other fields than id, package, date and reason.") from error


def look_up(tool: str, lock: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each version of a lock file; raises ValueError where it cannot say it."""
    options = ["--format", "json", "--aliases", "on", "--progress-spinner", "off", "--no-deps", "--disable-pip"]
    command = [tool, *options, "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(f"The list of vulnerabilities does not answer, so nothing was audited ({last}).") from None
    return found


def complaints(found: list[dict[str, Any]], ignored: list[Ignored], today: date) -> list[str]:
    """A sentence for everything that is not in order."""
    if all("skip_reason" in package for package in found):
        return [f"The list of vulnerabilities knows none of the {len(found)} versions, so nothing was audited."]
    told, used = [], set()
    for package in found:
        if "skip_reason" in package:
            told.append(f"{package['name']} could not be looked up: {package['skip_reason']}.")
        for vulnerability in package.get("vulns", []):
            names = {vulnerability["id"], *vulnerability.get("aliases", [])}
            passed = [entry for entry in ignored if entry.id in names and entry.package == package["name"]]
            used.update(passed)
            if not passed:
                cure = " or ".join(vulnerability["fix_versions"]) or "none so far"
                told.append(
                    f"{package['name']} {package['version']} has {', '.join(sorted(names))}; mended in: {cure}."
                )
    told += [f"{entry.id} of {entry.package} is ignored, and is not there any more." for entry in set(ignored) - used]
    old = [entry for entry in used if today - entry.date > LOOKED_AT_AGAIN]
    told += [f"{entry.id} of {entry.package} is ignored since {entry.date}: look at it again." for entry in old]
    return sorted(told)


def main() -> int:
    try:
        ignored = read_ignored(IGNORED)
        versions = {(each["name"], each.get("version")): each for lock in LOCKS for each in look_up(sys.argv[1], lock)}
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    told = complaints(list(versions.values()), ignored, date.today())
    sys.stderr.writelines(f"{sentence}\n" for sentence in told)
    sys.stdout.write(
        f"{len(versions)} versions looked up, {len(ignored)} vulnerabilities ignored, {len(told)} complaints\n"
    )
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
