"""A way to encode, in a process and an environment of its own: asked and answering over pipes."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


def environment(threads: int) -> dict[str, str]:
    """What every process of the comparison is given: the same threads, no network."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MCSE_", "PYTHONPATH"))}
    own.pop("TOKENIZERS_PARALLELISM", None)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads))
    return {**own, **limits, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


class Worker:
    """A running way.

    Args:
        python: the interpreter of its environment.
        module: below `benchmarks.peers.ways`.
        arguments: of the module.
        threads: it may use.
    """

    def __init__(self, python: Path, module: str, arguments: Sequence[str], threads: int) -> None:
        self._name = module
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.peers.ways.{module}", *arguments, "--threads", str(threads)],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def ready(self) -> None:
        """Wait until its model is open.

        Raises:
            RuntimeError: it could not be opened.
        """
        self._answer()

    def seconds(self, texts: Sequence[str]) -> float:
        """How long it takes to encode them, from texts to vectors."""
        return float(self._ask({"texts": list(texts)})["seconds"])

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) what it makes of them."""
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "vectors.npy"
            self._ask({"texts": list(texts), "to": str(target)})
            found: NDArray[np.float32] = np.load(target)
            return found

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise RuntimeError("the worker has no standard input")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self._name}: its process has ended; run the module by hand to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer
