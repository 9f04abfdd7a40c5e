"""The bill of materials: everything that the service installs, and the same bytes for the same locks."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from models.files import sha256_of
from models.shipped import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)(.*(?:\n    --hash.*)*)", re.MULTILINE)


def written(output: Path, **variables: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, str(ROOT / ".ci" / "sbom.py"), str(output)]
    subprocess.run(command, env={**environment, **variables}, check=True, capture_output=True)
    return output.read_bytes()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(written(tmp_path_factory.mktemp("bill") / "dist" / "sbom.json"))
    return parsed


def components(bill: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [component for component in bill["components"] if component["type"] == kind]


def hashes(component: dict[str, Any]) -> set[str]:
    assert all(each["alg"] == "SHA-256" for each in component.get("hashes", []))
    return {each["content"] for each in component.get("hashes", [])}


def test_every_locked_package_is_in_it_with_its_version_and_its_hashes(bill: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", "\n")
    locked = {(name, version): set(re.findall(r"[0-9a-f]{64}", rest)) for name, version, rest in PINNED.findall(lock)}
    assert len(locked) > 50
    assert all(locked.values())
    found = {(each["name"], each["version"]): hashes(each) for each in components(bill, "library")}
    torch = (ROOT / "requirements-torch.txt").read_text(encoding="utf-8")
    (name, version) = re.findall(r"^(torch)==(\S+)", torch, re.MULTILINE)[0]
    assert found == {**locked, (name, version): set()}  # each platform has another build of torch


def test_our_own_version_and_the_shipped_checkpoint_are_in_it(bill: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = bill["metadata"]["component"]
    assert (own["name"], own["version"]) == (project["name"], project["version"])
    (model,) = components(bill, "machine-learning-model")
    assert model["name"] == SHIPPED.name
    assert hashes(model) == {sha256_of(SHIPPED / "model.safetensors")}


def test_it_is_of_the_form_that_it_says(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(set(references)) == len(references)
    (needs,) = bill["dependencies"]
    assert needs["ref"] == bill["metadata"]["component"]["bom-ref"]
    assert needs["dependsOn"] == sorted(references)
    for component in components(bill, "library"):
        assert re.fullmatch(r"pkg:pypi/[a-z0-9-]+@[^/\s]+", component["purl"])


def test_the_same_locks_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "first.json"), written(tmp_path / "second.json")
    assert first == second
    assert b"timestamp" not in first
    dated = json.loads(written(tmp_path / "third.json", SOURCE_DATE_EPOCH="86400"))
    assert dated["metadata"]["timestamp"] == "1970-01-02T00:00:00+00:00"


def test_it_is_written_where_git_does_not_look() -> None:
    assert "/dist/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
