"""Compile our own C++ into a library that Python loads. Done once, when mcse is installed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models.files import replaced_file

COMPILE = ("-std=c++17", "-O3", "-fno-exceptions", "-fno-rtti", "-fno-sanitize=undefined", "-fPIC", "-shared", "-s")
STRICT = ("-Wall", "-Wextra", "-Werror")
TARGET = ("-target", "x86_64-linux-gnu.2.17")


def compile_library(source: Path, library: Path, options: Sequence[str]) -> None:
    """Compile `source` to `library`, which is whole or absent.

    The compiler comes with the package `ziglang`, so that every machine gets the same code and needs none of its own.

    Raises:
        OSError: there is no compiler; the package `ziglang` brings it.
        subprocess.CalledProcessError: the compiler failed; what it said is on the standard error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        caches = {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch}
        output = Path(scratch) / "kernel.so"
        subprocess.run(  # noqa: S603 (our own command)
            [
                sys.executable,
                "-m",
                "ziglang",
                "cc",
                *COMPILE,
                *STRICT,
                *TARGET,
                *options,
                str(source),
                "-o",
                str(output),
            ],
            env={**os.environ, **caches},
            check=True,
        )
        library.parent.mkdir(exist_ok=True)
        with replaced_file(library) as file:
            file.write(output.read_bytes())
