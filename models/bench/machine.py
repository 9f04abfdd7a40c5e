"""What this machine is, as far as it matters for a figure that was measured on it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from models.cores import usable_cores

# What matrix kernels are chosen by, in the words of /proc/cpuinfo.
_TOLD = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm", "sve")


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, memory and software."""

    processor: str
    cores: int
    """That this process may use."""
    memory_gb: float
    instructions: tuple[str, ...]
    gpu: str | None
    system: str
    torch: str

    @classmethod
    def here(cls) -> "Machine":
        """This one."""
        facts = _cpuinfo(Path("/proc/cpuinfo"))
        flags = set(facts.get("flags", facts.get("Features", "")).split())
        return cls(
            processor=facts.get("model name") or platform.processor() or platform.machine(),
            cores=usable_cores(),
            memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
            instructions=tuple(name for name in _TOLD if name in flags),
            gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
            torch=torch.__version__,
        )


def _cpuinfo(path: Path) -> dict[str, str]:
    """The first processor's fields; empty where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
