"""Encoding in process: each way a worker in its own environment, on the same sentences, in turns."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, paired, turns
from benchmarks.peers.environments import python_of
from benchmarks.peers.onnx import exported
from benchmarks.peers.worker import Worker
from models.bench.tables import Table
from models.bench.throughput import cosines
from models.runtime.base import Vectors

BASE = "sentence-transformers float32, batch 32"
_WARM_UP = 64  # sentences


@dataclass(frozen=True, slots=True)
class Way:
    """One way to encode."""

    environment: str | None
    """Of the peer; None is ours, which is this one."""
    module: str
    precision: str
    reads_onnx: bool = False


WAYS: Mapping[str, Way] = {
    BASE: Way("sentence-transformers", "sentence_transformers_encode", "float32"),
    "torch float32, padded, sorted": Way("sentence-transformers", "torch_padded", "float32"),
    "torch bfloat16, padded, sorted": Way("sentence-transformers", "torch_padded", "bfloat16"),
    "ONNX Runtime float32": Way("onnxruntime", "onnxruntime_padded", "float32", reads_onnx=True),
    "ONNX Runtime int8, dynamic": Way("onnxruntime", "onnxruntime_padded", "int8", reads_onnx=True),
    "OpenVINO float32": Way("openvino", "openvino_padded", "float32", reads_onnx=True),
    "OpenVINO bfloat16": Way("openvino", "openvino_padded", "bfloat16", reads_onnx=True),
    "mcse float32": Way(None, "mcse_encode", "float32"),
    "mcse bfloat16": Way(None, "mcse_encode", "bfloat16"),
    "mcse int8": Way(None, "mcse_encode", "int8"),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one way."""

    seconds: list[float]
    """Of each round."""
    vectors: Vectors
    """(n, dimension) of the same sentences."""
    sts: float | None
    """Mean of the seven STS sets, Spearman x 100; None where it was not asked for."""


def measure(
    ways: Mapping[str, Way], model: Path, texts: Sequence[str], *, rounds: int, threads: int, sts_data: Path | None
) -> dict[str, Measured]:
    """Open every way, let them take turns, and keep what they make of the texts.

    Args:
        ways: by name.
        model: the checkpoint's directory.
        texts: what each encodes in every round.
        rounds: how often.
        threads: of each way.
        sts_data: the folder of evaluation data; None leaves STS out. With it, our own ways are scored.

    Raises:
        RuntimeError: an environment could not be made, or a way could not be opened.
    """
    console = Console(stderr=True)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(way, model, threads, console)) for name, way in ways.items()}
        for name, worker in workers.items():
            console.print(f"opening {name}")
            worker.ready()
            worker.seconds(texts[:_WARM_UP])
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for order in track(list(turns(list(workers), rounds)), description="rounds", console=console):
            for name in order:
                seconds[name].append(workers[name].seconds(texts))
        return {
            name: Measured(seconds[name], worker.vectors(texts), _sts(ways[name], worker, sts_data))
            for name, worker in workers.items()
        }


def _worker(way: Way, model: Path, threads: int, console: Console) -> Worker:
    python = Path(sys.executable) if way.environment is None else python_of(way.environment, console)
    arguments = ["--model", str(model), "--precision", way.precision]
    if way.reads_onnx:
        arguments += ["--onnx", str(exported(model, python_of("onnxruntime", console), console))]
    return Worker(python, way.module, arguments, threads)


def _sts(way: Way, worker: Worker, data: Path | None) -> float | None:
    if data is None or way.environment is not None:
        return None
    from training.evaluation.sts import STS_SETS, read_set, spearman

    return float(np.mean([spearman(worker.vectors, read_set(name, data)) for name in STS_SETS]))


def table(found: Mapping[str, Measured], title: str) -> Table:
    """Rates, ratios to the base in the same round, and closeness to its vectors."""
    base = found[BASE]
    header = ("way", "sentences/s", "times the base", "cosine, lowest", "cosine, mean")
    scored = any(measured.sts is not None for measured in found.values())
    rows = tuple((name, *_cells(measured, base, scored=scored)) for name, measured in found.items())
    return Table(title, (*header, "STS average") if scored else header, rows)


def _cells(measured: Measured, base: Measured, *, scored: bool) -> tuple[str, ...]:
    close = cosines(measured.vectors, base.vectors)
    count = len(measured.vectors)
    cells = (
        f"{Spread.of([count / seconds for seconds in measured.seconds]).median:,.0f}",
        paired(base.seconds, measured.seconds).told(),
        f"{close.min():.6f}",
        f"{close.mean():.6f}",
    )
    return (*cells, "" if measured.sts is None else f"{measured.sts:.2f}") if scored else cells
