"""Compile the kernels, once for each number format: `python -m models.runtime.native.build`.

The compiler comes with the package `ziglang`, so that every machine gets the same code and needs no compiler of its
own. It is needed to build only. Where the kernels were not built, torch computes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from models.files import replaced_file
from models.runtime.base import PRECISIONS, Precision
from models.runtime.native.sources import BUILT, COMPILE, FORMATS, KERNEL, STRICT, TARGET, library_path


def build(precision: Precision) -> Path:
    """Compile the library of one precision.

    Raises:
        OSError: there is no compiler; the package `ziglang` brings it.
        subprocess.CalledProcessError: the compiler failed; what it said is on the standard error.
    """
    path = library_path(precision)
    form, processor = FORMATS[precision]
    with tempfile.TemporaryDirectory() as scratch:
        caches = {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch}
        output = Path(scratch) / "kernel.so"
        options = (*COMPILE, *STRICT, *TARGET, f"-mcpu={processor}", f"-DFORMAT={form}")
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
