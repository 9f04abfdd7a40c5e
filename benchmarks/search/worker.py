"""A way to search, in a process and an environment of its own: asked and answering over pipes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from benchmarks.peers.environments import python_of
from benchmarks.peers.worker import ROOT, environment


@dataclass(frozen=True, slots=True)
class Way:
    """One way to search."""

    environment: str | None
    """Of the peer; None is ours, which is this one."""
    module: str
    """Below `benchmarks.search.ways`."""
    argument: str


@dataclass(frozen=True, slots=True)
class Built:
    """What building the index took."""

    seconds: float
    memory_mb: float


class Worker:
    """A running way. `folder` holds what is handed over: base.npy, texts.json and queries.npy."""

    def __init__(self, way: Way, folder: Path, threads: int) -> None:
        self._folder = folder
        self._name = way.module
        python = Path(sys.executable) if way.environment is None else python_of(way.environment, Console(stderr=True))
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.search.ways.{way.module}", way.argument],
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
        self._process.communicate()

    def build(self, threads: int) -> Built:
        """Build the index over the base."""
        vectors, texts = str(self._folder / "base.npy"), str(self._folder / "texts.json")
        return Built(**self._ask(vectors=vectors, texts=texts, threads=threads))

    def seconds(self, *, breadth: int, size: int, threads: int, told: bool = False) -> float:
        """How long all queries take, `size` of them a call."""
        return float(self._search(breadth=breadth, size=size, threads=threads, told=told, ids=False)["seconds"])

    def found(self, breadth: int, size: int) -> Sequence[Sequence[int]]:
        """The ids that each query finds."""
        found: list[list[int]] = self._search(breadth=breadth, size=size, threads=1, told=False, ids=True)["ids"]
        return found

    def _search(self, **asked: Any) -> dict[str, Any]:
        return self._ask(queries=str(self._folder / "queries.npy"), **asked)

    def _ask(self, **question: Any) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name}: its process has ended; run the module by hand to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer
