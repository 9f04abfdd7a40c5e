"""Compile the kernels, once for each number format: `python -m models.runtime.native.build`.

The compiler comes with the package `ziglang`, so that every machine gets the same code and needs no compiler of its
own. It is needed to build only. Where the kernels were not built, torch computes.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from models.files import replaced_file
from models.runtime.base import PRECISIONS, Precision

KERNEL = Path(__file__).parent / "kernel"
BUILT = Path(__file__).parent / "built"

_COMPILE = ("-std=c++17", "-O3", "-fno-exceptions", "-fno-rtti", "-fno-sanitize=undefined", "-fPIC", "-shared", "-s")
_STRICT = ("-Wall", "-Wextra", "-Werror")
_TARGET = ("-target", "x86_64-linux-gnu.2.17")
_FORMATS: Mapping[Precision, tuple[str, str]] = {
    "float32": ("Float32", "x86_64_v4"),
    "bfloat16": ("BFloat16", "x86_64_v4+avx512bf16"),
    "int8": ("Int8", "x86_64_v4+avx512vnni"),
}


def library_path(precision: Precision) -> Path:
    """Where the library of a precision is, once built. Its name holds a digest of sources and options."""
    digest = hashlib.sha256(repr((_COMPILE, _TARGET, _FORMATS[precision])).encode())
    for source in sorted(KERNEL.iterdir()):
        digest.update(source.read_bytes())
    return BUILT / f"{precision}-{digest.hexdigest()[:16]}.so"


def build(precision: Precision) -> Path:
    """Compile the library of one precision.

    Raises:
        OSError: there is no compiler; the package `ziglang` brings it.
        subprocess.CalledProcessError: the compiler failed; what it said is on the standard error.
    """
    path = library_path(precision)
    form, processor = _FORMATS[precision]
    with tempfile.TemporaryDirectory() as scratch:
        caches = {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch}
        output = Path(scratch) / "kernel.so"
        options = (*_COMPILE, *_STRICT, *_TARGET, f"-mcpu={processor}", f"-DFORMAT={form}")
        subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-m", "ziglang", "cc", *options, str(KERNEL / "kernel.cpp"), "-o", str(output)],
            env={**os.environ, **caches},
            check=True,
        )
        path.parent.mkdir(exist_ok=True)
        with replaced_file(path) as file:
            file.write(output.read_bytes())
    return path


def main() -> None:
    """Build what is not built, and take away what older sources left."""
    paths = {precision: library_path(precision) for precision in PRECISIONS}
    for precision, path in paths.items():
        if not path.exists():
            build(precision)
    for stale in set(BUILT.glob("*.so")) - set(paths.values()):
        stale.unlink()


if __name__ == "__main__":
    main()
