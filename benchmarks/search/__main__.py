"""Writing, opening and searching a collection, beside plain NumPy on the same vectors.

    python -m benchmarks.search [--points 100000] [--dimension 384]

Vectors are random and of unit length. The peer of a search is one matrix product and a partial sort in NumPy.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from service.search.collection import Collection
from service.search.collections import Collections
from service.search.points import Point

BATCH = 256
LIMIT = 10
ROUNDS = 30


def main(
    points: Annotated[int, typer.Option(help="Points in the collection.")] = 100_000,
    dimension: Annotated[int, typer.Option(help="Width of a vector.")] = 384,
) -> None:
    """Time each step and print a table."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(points, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = Table("step", "figure")
    with tempfile.TemporaryDirectory() as folder:
        store = _open(Path(folder), dimension, points)
        collection = store.create("benchmark", space="sentence")
        seconds = _timed(lambda: _write(collection, vectors))
        table.add_row(f"write {points} points, {BATCH} a request", f"{points / seconds:.0f} points/s")
        store.close()
        started = time.perf_counter()
        store = _open(Path(folder), dimension, points)
        table.add_row("open: verify every row, rebuild the index", f"{time.perf_counter() - started:.2f} s")
        _search(store.get("benchmark"), vectors, table)
        store.close()
    Console().print(table)


def _open(folder: Path, dimension: int, points: int) -> Collections:
    return Collections.open(folder, fingerprint="benchmark", dimensions={"sentence": dimension}, max_points=points)


def _write(collection: Collection, vectors: NDArray[np.float32]) -> None:
    for start in range(0, len(vectors), BATCH):
        batch = vectors[start : start + BATCH]
        collection.upsert([Point(start + i, vector, "a short text") for i, vector in enumerate(batch)])


def _search(collection: Collection, vectors: NDArray[np.float32], table: Table) -> None:
    for queries in (1, 32):
        asked = vectors[:queries]
        ours = _median(lambda asked=asked: collection.search(asked, LIMIT))  # type: ignore[misc]
        peer = _median(lambda asked=asked: _numpy(asked, vectors))  # type: ignore[misc]
        figure = f"{ours * 1000:.1f} ms, NumPy {peer * 1000:.1f} ms, ratio {ours / peer:.2f}"
        table.add_row(f"search, {queries} queries at a time, best {LIMIT}", figure)


def _numpy(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.argpartition(-(queries @ vectors.T), LIMIT, axis=1)[:, :LIMIT]


def _median(act: Callable[[], object]) -> float:
    act()
    return statistics.median(_timed(act) for _ in range(ROUNDS))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
