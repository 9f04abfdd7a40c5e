"""Write the software bill of materials of the service, as CycloneDX JSON: what it installs, by the lock files.

    python .ci/sbom.py dist/sbom.json

The same locks give the same bytes. SOURCE_DATE_EPOCH, where it is set, is the time that the document tells.
"""

import hashlib
import json
import os
import re
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK, TORCH = ROOT / "requirements.lock", ROOT / "requirements-torch.txt"
CHECKPOINT = ROOT / "models" / "checkpoints" / "mcse-minilm-l6"

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)\s*(?:;(?P<marker>.*))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """One line of a lock file."""

    name: str
    version: str
    marker: str
    """For which platforms; empty for all"""
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed; none where the platform decides"""


def locked(path: Path) -> list[Locked]:
    """What a lock file holds; raises ValueError for a line that pins nothing."""
    found = []
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        bare = line.split("#")[0].strip()
        if not bare:
            continue
        parts = _REQUIREMENT.fullmatch(_HASH.sub("", bare).strip())
        if parts is None:
            raise ValueError(f"{path}: {bare.split()[0]} is not pinned to a version. Run `make lock`.")
        marker = (parts["marker"] or "").strip()
        found.append(Locked(parts["name"], parts["version"], marker, tuple(_HASH.findall(bare))))
    return found


def bill() -> dict[str, Any]:
    """The document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = [_component(package) for package in sorted(locked(LOCK) + locked(TORCH), key=lambda each: each.name)]
    components = [_checkpoint(), *packages]
    own = f"pkg:generic/{project['name']}@{project['version']}"
    about = {
        "bom-ref": own,
        "type": "application",
        "name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
        "purl": own,
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {**_time(), "component": about},
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": sorted(each["bom-ref"] for each in components)}],
    }


def _component(package: Locked) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", package.name).lower()
    url = f"pkg:pypi/{name}@{package.version}"
    told: dict[str, Any] = {
        # A version for one platform stands beside that for another one.
        "bom-ref": f"{url}#{_digest(package.marker.encode())[:8]}" if package.marker else url,
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": url,
    }
    if package.hashes:
        told["hashes"] = [{"alg": "SHA-256", "content": each} for each in sorted(package.hashes)]
    if package.marker:
        told["properties"] = [{"name": "mcse:marker", "value": package.marker}]
    return told


def _checkpoint() -> dict[str, Any]:
    weights = CHECKPOINT / "model.safetensors"
    return {
        "bom-ref": f"checkpoint:{CHECKPOINT.name}",
        "type": "machine-learning-model",
        "name": CHECKPOINT.name,
        "hashes": [{"alg": "SHA-256", "content": _digest(weights.read_bytes())}],
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _time() -> dict[str, str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return {"timestamp": datetime.fromtimestamp(int(epoch), UTC).isoformat()} if epoch else {}


def main() -> None:
    output = Path(sys.argv[1])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(bill(), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{output}: {len(bill()['components'])} components\n")


if __name__ == "__main__":
    main()
