"""Compile the kernel of the graph index: `python -m service.search.graph.build`.

Where it was not built, collections are searched with FAISS alone.
"""

import hashlib
import platform
import sys
from pathlib import Path

from models.compiler import COMPILE, TARGET, compile_library
from models.runtime.native.processor import flags

KERNEL = Path(__file__).parent / "kernel"
BUILT = Path(__file__).parent / "built"

# What is asked of the processor, best first: its flags as Linux names them, and the compiler's name.
PROCESSORS = (
    (frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}), "x86_64_v4+avx512vnni"),
    (frozenset({"avx2", "fma", "bmi2"}), "x86_64_v3"),
)


def processor() -> str | None:
    """The compiler's name for what this machine can do; None where the kernel is not for it."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    return next((name for needs, name in PROCESSORS if flags() >= needs), None)


def library_path() -> Path | None:
    """Where the library is, once built: its name holds a digest of sources, options and processor."""
    name = processor()
    if name is None:
        return None
    digest = hashlib.sha256(repr((COMPILE, TARGET, name)).encode())
    for source in sorted(KERNEL.iterdir()):
        digest.update(source.read_bytes())
    return BUILT / f"graph-{digest.hexdigest()[:16]}.so"


def main() -> None:
    """Build what is not built, and take away what older sources left."""
    path, name = library_path(), processor()
    if path is None or name is None:
        return
    if not path.exists():
        compile_library(KERNEL / "kernel.cpp", path, (f"-mcpu={name}",))
    for stale in set(BUILT.glob("*.so")) - {path}:
        stale.unlink()


if __name__ == "__main__":
    main()
