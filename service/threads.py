"""How many threads each library may use: set before any of them is loaded, told as it is in force.

Each of them would take one thread per core of the machine, and together they would fight for the cores that this
process has. The encoder gets them; all others compute on the one thread that calls them.
"""

import ctypes
import os
import sys
from pathlib import Path

SINGLE = {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
ENCODER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_BLAS_NAMES = ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads", "openblas_get_num_threads")


def limit_threads(encoder_threads: int) -> None:
    """Set the environment that the libraries read when they are loaded; call it before that."""
    os.environ.update(SINGLE)
    os.environ.update(dict.fromkeys(ENCODER, str(encoder_threads)))


def openmp_threads() -> int | None:
    """Threads that torch computes on; None where it is not loaded. Call it on the thread that encodes."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def blas_threads() -> int | None:
    """Threads of NumPy's matrix products; None where its library does not tell."""
    numpy = sys.modules.get("numpy")
    if numpy is None or numpy.__file__ is None:
        return None
    for library in Path(numpy.__file__).parents[1].glob("numpy.libs/*openblas*"):
        loaded = ctypes.CDLL(str(library))  # it is loaded already; this is the same one
        for name in _BLAS_NAMES:
            if hasattr(loaded, name):
                return int(getattr(loaded, name)())
    return None


def tokenizer_threads() -> int:
    """Threads of the tokenizers, which read these two at each call."""
    if os.environ.get("TOKENIZERS_PARALLELISM", "").lower() in ("false", "0", "off", "no", "f", "n"):
        return 1
    return int(os.environ.get("RAYON_NUM_THREADS") or os.cpu_count() or 1)
