"""How many sentences a second a runtime encodes: of mixed lengths, by batch size and length, by token budget."""

from collections.abc import Iterable, Sequence

import numpy as np

from models.bench.flops import Cost
from models.bench.results import Cell, Path, Rate
from models.bench.stream import Ids, Stream
from models.bench.timing import repeat
from models.runtime.base import Runtime, Vectors

_BUDGET = 4096  # tokens of a batch where nothing else is asked
_COMPARED = 64  # sentences whose vectors are held against the reference's
_PATIENCE = 4.0  # a cell that would take so many times its share of the time is left out


def measure_path(runtime: Runtime, stream: Stream, cost: Cost, *, reference: Vectors, seconds: float) -> Path:
    """One runtime on the stream, with its distance from the reference; the peak is not known here.

    Args:
        runtime: what to measure.
        stream: its sentences.
        cost: the architecture's.
        reference: (n, dimension) float32 vectors of the first n sentences.
        seconds: about how long it may take.
    """
    took = repeat(lambda: encode_all(runtime, stream.batches(_BUDGET)), 0.8 * seconds).middle
    middle = sorted(stream.ids, key=len)[len(stream.ids) // 2]
    single = repeat(lambda: runtime.encode([middle]), 0.2 * seconds).middle
    close = cosines(runtime.encode(stream.ids[: len(reference)]), reference)
    return Path(
        runtime=runtime.name,
        precision=runtime.precision,
        reason=runtime.reason,
        threads=runtime.threads,
        sentences_per_s=len(stream.ids) / took,
        tokens_per_s=sum(stream.lengths) / took,
        flops_per_s=cost.batch(stream.lengths) / took,
        peak_flops_per_s=None,
        single_ms=single * 1000,
        cosine_min=float(close.min()),
        cosine_mean=float(close.mean()),
    )


def compared(stream: Stream) -> list[Ids]:
    """The sentences that runtimes are compared on."""
    return stream.ids[:_COMPARED]


def encode_all(runtime: Runtime, batches: Iterable[Sequence[Ids]]) -> None:
    """Encode one batch after the other."""
    for batch in batches:
        runtime.encode(batch)


def cosines(first: Vectors, second: Vectors) -> Vectors:
    """(n,) cosine of each row of one matrix with the same row of the other."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: Vectors = (first * second).sum(axis=1) / lengths
    return found


def measure_cell(runtime: Runtime, stream: Stream, batch: int, tokens: int, *, rate: float, seconds: float) -> Cell:
    """Sentences of one length in batches of one size; left out where it would take far too long.

    `rate` is how many tokens a second may be expected.
    """
    if batch * tokens / rate > _PATIENCE * seconds:
        return Cell(batch, tokens, None)
    sentences = stream.of_length(tokens, batch)
    return Cell(batch, tokens, batch / repeat(lambda: runtime.encode(sentences), seconds).middle)


def measure_budget(runtime: Runtime, stream: Stream, budget: int, seconds: float) -> Rate:
    """The stream in batches under a token budget."""
    batches = list(stream.batches(budget))
    return Rate(budget, len(stream.ids) / repeat(lambda: encode_all(runtime, batches), seconds).middle)
