"""How many cores this process may really use: the container's quota, not the machine's count.

Called once at start. A quota of two cores on a machine of 64 otherwise gets 64 threads that fight for two.
"""

import math
import os
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")


def usable_cores(root: Path = CGROUP_ROOT, affinity: int | None = None) -> int:
    """The smaller of the cgroup quota (rounded up) and the processor affinity, at least 1."""
    allowed = affinity if affinity is not None else _affinity()
    quota = _quota_v2(root) or _quota_v1(root)
    return max(1, min(allowed, math.ceil(quota)) if quota else allowed)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota_v2(root: Path) -> float | None:
    """`cpu.max` holds "<quota> <period>" in microseconds, or "max <period>" for no limit."""
    fields = _read(root / "cpu.max").split()
    return _ratio(*fields) if len(fields) == 2 else None


def _quota_v1(root: Path) -> float | None:
    """The same two numbers in two files; a quota of -1 is no limit."""
    folder = root / "cpu"
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
