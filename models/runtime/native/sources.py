"""What the kernels are compiled from, how, and into which files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from models.compiler import COMPILE, TARGET
from models.runtime.base import Precision

KERNEL = Path(__file__).parent / "kernel"
BUILT = Path(__file__).parent / "built"

FORMATS: Mapping[Precision, tuple[str, str]] = {
    "float32": ("Float32", "x86_64_v4"),
    "bfloat16": ("BFloat16", "x86_64_v4+avx512bf16"),
    "int8": ("Int8", "x86_64_v4+avx512vnni"),
}


def library_path(precision: Precision) -> Path:
    """Where the library of a precision is, once built. Its name holds a digest of sources and options."""
    digest = hashlib.sha256(repr((COMPILE, TARGET, FORMATS[precision])).encode())
    for source in sorted(KERNEL.iterdir()):
        digest.update(source.read_bytes())
    return BUILT / f"{precision}-{digest.hexdigest()[:16]}.so"
