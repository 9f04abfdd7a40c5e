"""Sentences per second: sentence-transformers, our runtime, and our service over HTTP, in one run on one machine.

    python -m benchmarks.embedding [--sentences 1024] [--rounds 3]

The three take turns in each round, so that a machine whose speed drifts is fair to all; the table gives the median of
each and its ratio to sentence-transformers. Sentences are the first of the Wikipedia file in MCSE_DATA.
"""

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "models" / "checkpoints" / "mcse-minilm-l6"
PORT = 18080

Way = Callable[[Sequence[str]], object]


def main(
    sentences: Annotated[int, typer.Option(help="How many sentences each way encodes per round.")] = 1024,
    rounds: Annotated[int, typer.Option(help="Rounds; the median is told.")] = 3,
    model: Annotated[Path, typer.Option(help="Checkpoint to compare on.")] = SHIPPED,
) -> None:
    """Time every way on the same sentences."""
    data = Path(os.environ.get("MCSE_DATA", ROOT.parent / "shared" / "data"))
    with gzip.open(data / "wiki" / "simplewiki_sentences.txt.gz", "rt") as file:
        texts = [line.strip() for line in islice(file, sentences)]
    with serving(model):
        show(measure({**in_process(model), **over_http()}, texts, rounds))


@contextmanager
def serving(model: Path) -> Iterator[None]:
    """The service in a process of its own."""
    with tempfile.TemporaryDirectory() as data_dir:
        flags = ["--port", str(PORT), "--model", str(model), "--data-dir", data_dir, "--log-level", "error"]
        server = subprocess.Popen([sys.executable, "-m", "service", *flags], cwd=ROOT)
        try:
            yield
        finally:
            server.terminate()
            server.wait()


def in_process(model: Path) -> dict[str, Way]:
    """The peer and our runtime, in this process."""
    from sentence_transformers import SentenceTransformer

    from models import ReferenceRuntime, load

    peer, checkpoint = SentenceTransformer(str(model), device="cpu"), load(model)
    runtime = ReferenceRuntime(checkpoint)

    def ours(texts: Sequence[str]) -> object:
        return runtime.encode([tokenized.ids for tokenized in checkpoint.tokenizer.encode(texts)])

    return {"sentence-transformers encode, batch 32": peer.encode, "mcse runtime, in process": ours}


def over_http() -> dict[str, Way]:
    """The service, asked in three patterns."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=120)
    for _ in range(600):
        try:
            if client.get("/readyz").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.2)

    def ask(texts: Sequence[str]) -> None:
        client.post("/embed", json={"inputs": list(texts)}).raise_for_status()

    def spread(connections: int, size: int) -> Way:
        def way(texts: Sequence[str]) -> None:
            parts = [texts[start : start + size] for start in range(0, len(texts), size)]
            with ThreadPoolExecutor(connections) as pool:
                list(pool.map(ask, parts))

        return way

    return {
        "mcse over HTTP, 1 connection, 1 sentence each": spread(1, 1),
        "mcse over HTTP, 16 connections, 1 sentence each": spread(16, 1),
        "mcse over HTTP, 8 connections, 32 sentences each": spread(8, 32),
    }


def measure(ways: dict[str, Way], texts: Sequence[str], rounds: int) -> dict[str, float]:
    """Median sentences per second of each way."""
    seen: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(texts[:64])  # warm up
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way(texts)
            seen[name].append(len(texts) / (time.perf_counter() - started))
    return {name: statistics.median(rates) for name, rates in seen.items()}


def show(rates: dict[str, float]) -> None:
    """Print a table, with the ratio to the first way."""
    base = next(iter(rates.values()))
    table = Table("way", "sentences/s", "ratio")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}", f"{rate / base:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
