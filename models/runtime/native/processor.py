"""Which number formats this processor can multiply in, as its kernels need them."""

import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from models.runtime.base import Precision

_BASE = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "bmi2", "fma"})

NEEDS: Mapping[Precision, frozenset[str]] = {
    "float32": _BASE,
    "bfloat16": _BASE | {"avx512_bf16"},
    "int8": _BASE | {"avx512_vnni"},
}
"""Processor flags, by the names that Linux gives them."""


@cache
def flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Flags of the first processor; empty where the system does not tell, or where it is no x86-64."""
    if platform.machine() != "x86_64":
        return frozenset()
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    told = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(told.partition(":")[2].split())


def computes(precision: Precision) -> bool:
    """Whether the kernels of a precision run here."""
    return flags() >= NEEDS[precision]
