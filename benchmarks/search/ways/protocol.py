"""The worker's side: build an index, then search it as asked, telling the seconds.

Runs in the environment of a peer, so it needs nothing but the standard library and NumPy.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

HITS = 10

Vectors: TypeAlias = NDArray[np.float32]


class Way(Protocol):
    """An index, and how it is searched."""

    spreads_batches: bool
    """Whether one call searches on several threads; else there are several callers."""

    def build(self, vectors: Vectors, texts: Sequence[str], threads: int) -> None:
        """Take the vectors in; returns when nothing is left to do."""

    def search(self, queries: Vectors, breadth: int, threads: int, *, told: bool) -> Any:
        """One call for these queries; `told` asks for texts and metadata too, where there are any."""

    def ids(self, answer: Any) -> list[list[int]]:
        """What `search` answered, as ids."""


def serve(open_way: Callable[[str], Way]) -> None:
    """Answer until standard input ends; the argument of the command goes to `open_way`.

    What libraries print goes to standard error, so that nothing mixes with the answers.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    way = open_way(sys.argv[1])
    for line in sys.stdin:
        question = json.loads(line)
        answer = _built(way, question) if "vectors" in question else _searched(way, question)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _built(way: Way, question: dict[str, Any]) -> dict[str, Any]:
    vectors = np.load(question["vectors"], mmap_mode="r")
    with open(question["texts"], encoding="utf-8") as file:
        texts = json.load(file)
    before, started = own_memory_mb(), time.perf_counter()
    way.build(vectors, texts, question["threads"])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "memory_mb": own_memory_mb() - before}


def _searched(way: Way, question: dict[str, Any]) -> dict[str, Any]:
    queries = np.load(question["queries"])
    size, breadth, threads, told = (question[name] for name in ("size", "breadth", "threads", "told"))
    batches = [queries[start : start + size] for start in range(0, len(queries), size)]
    callers = 1 if size > 1 and way.spreads_batches else threads
    inside = threads // callers

    def call(number: int) -> list[Any]:
        return [way.search(batch, breadth, inside, told=told) for batch in batches[number::callers]]

    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        answers = list(pool.map(call, range(callers))) if callers > 1 else [call(0)]
        seconds = time.perf_counter() - started
    if not question["ids"]:
        return {"seconds": seconds}
    ordered = [answers[number % callers][number // callers] for number in range(len(batches))]
    return {"seconds": seconds, "ids": [ids for answer in ordered for ids in way.ids(answer)]}


def own_memory_mb() -> float:
    """Memory of this process that no file backs."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) * 1024 / 1e6
