"""Real vectors for the benchmarks: sentences of Wikipedia, embedded once by the shipped checkpoint and kept.

    python -m benchmarks.search.vectors --count 1000000

Kept a block at a time under `$MCSE_CACHE/bench` (default `~/.cache/mcse/bench`), so that a run that was stopped goes on.
"""

import gzip
import os
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from models.cores import usable_cores
from models.errors import TextError
from models.files import replaced_file
from models.runtime.base import Runtime
from models.serving import ServedCheckpoint, open_to_serve
from models.shipped import SHIPPED

BLOCK = 25_000  # sentences kept together
BATCH = 128  # sentences encoded together
PRECISION = "int8"  # four times as fast as float32 and, for a search's cost and recall, the same vectors

Vectors = NDArray[np.float32]


def real_vectors(count: int) -> tuple[Vectors, list[str]]:
    """The first `count` sentences of the corpus with their vectors (count, 384) of unit length."""
    folder = _folder()
    lines = _lines()
    model: tuple[ServedCheckpoint, Runtime] | None = None
    blocks: list[Vectors] = []
    texts: list[str] = []
    starts = range(0, count, BLOCK)
    for start in track(starts, "vectors", console=Console(stderr=True), disable=len(starts) < 2):
        block = list(islice(lines, BLOCK))
        path = folder / f"wiki-{start:07}.npy"
        if not path.exists():
            model = model or open_to_serve(str(SHIPPED), precision=PRECISION, threads=usable_cores())
            with replaced_file(path) as file:
                np.save(file, _embed(*model, block))
        blocks.append(np.load(path))
        texts += block
    return np.concatenate(blocks)[:count], texts[:count]


def _folder() -> Path:
    cache = Path(os.environ.get("MCSE_CACHE", Path.home() / ".cache" / "mcse"))
    folder = cache / "bench" / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lines():  # type: ignore[no-untyped-def]
    data = Path(os.environ.get("MCSE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    with gzip.open(data / "wiki" / "simplewiki_sentences.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            if text := line.strip():
                yield text


def _embed(checkpoint: ServedCheckpoint, runtime: Runtime, texts: list[str]) -> Vectors:
    tokenized = []
    for text in texts:
        try:
            tokenized.append(checkpoint.tokenizer.encode([text])[0].ids)
        except TextError:
            tokenized.append(checkpoint.tokenizer.encode(["nothing"])[0].ids)
    order = sorted(range(len(texts)), key=lambda row: -len(tokenized[row]))
    vectors = np.empty((len(texts), runtime.dimension), np.float32)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        vectors[rows] = runtime.encode([tokenized[row] for row in rows])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main(count: Annotated[int, typer.Option(help="How many sentences.")] = 200_000) -> None:
    """Make the vectors, where they are not kept yet."""
    vectors, _ = real_vectors(count)
    Console().print(f"{vectors.shape[0]} vectors of width {vectors.shape[1]} in {_folder()}")


if __name__ == "__main__":
    typer.run(main)
