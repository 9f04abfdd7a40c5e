"""A virtual environment for each peer, made once from its pinned requirements and kept in a cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

REQUIREMENTS = Path(__file__).parent / "requirements"


def cache() -> Path:
    """Where environments and exported models are kept: MCSE_CACHE, or the user's own."""
    return Path(os.environ.get("MCSE_CACHE") or Path.home() / ".cache" / "mcse") / "bench"


def python_of(name: str, console: Console) -> Path:
    """The interpreter of an environment; makes the environment where its requirements are new.

    Args:
        name: of a file in `requirements/`.
        console: told when packages are installed, which takes minutes.

    Raises:
        RuntimeError: pip could not install what is pinned.
    """
    pinned = REQUIREMENTS / f"{name}.txt"
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]
    home = cache() / f"{name}-{version}-{digest}"
    if not (home / "ready").is_file():
        console.print(f"installing {name} into {home}")
        _make(home, pinned)
    return home / "bin" / "python"


def _make(home: Path, pinned: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)  # half of one, from a run that was stopped
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    done = subprocess.run([*pip, "--requirement", str(pinned)], check=False)
    if done.returncode:
        raise RuntimeError(f"{pinned.name}: pip could not install it; its message is above")
    (home / "ready").touch()
