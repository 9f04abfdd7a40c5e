"""Compile the kernels, once for each number format: `python -m models.runtime.native.build`.

Where they were not built, torch computes.
"""

from pathlib import Path

from models.compiler import compile_library
from models.runtime.base import PRECISIONS, Precision
from models.runtime.native.sources import BUILT, FORMATS, KERNEL, library_path


def build(precision: Precision) -> Path:
    """Compile the library of one precision; raises what `compile_library` raises."""
    path = library_path(precision)
    form, processor = FORMATS[precision]
    compile_library(KERNEL / "kernel.cpp", path, (f"-mcpu={processor}", f"-DFORMAT={form}"))
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
