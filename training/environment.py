"""What a run was made with: versions, the state of the code, the machine."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from training.release import release

_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "accelerate")
_REPOSITORY = Path(__file__).parents[1]


def environment(device: torch.device, world: int) -> dict[str, Any]:
    """For `environment.json` of a run."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "versions": {"mcse": release(), **{name: version(name) for name in _PACKAGES}},
        "git": _git(),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "processes": world,
        },
    }


def _git() -> dict[str, Any] | None:
    """Commit, and whether files differ from it; None where this is no checkout or git is not there."""
    try:
        commit = _output("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_output("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _output(*arguments: str) -> str:
    command = ["git", "-C", str(_REPOSITORY), *arguments]  # git is found on PATH, as for its user
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
