"""Everything a run of `mcse bench` found, as it is shown, drawn and written to results.json."""

from dataclasses import asdict, dataclass
from typing import Any

from models.bench.machine import Machine
from models.runtime.base import Precision


@dataclass(frozen=True, slots=True)
class Model:
    """What was measured."""

    name: str
    fingerprint: str
    pooling: str
    dimension: int
    max_tokens: int
    sentences: int
    """In the stream of mixed lengths."""
    mean_tokens: float
    source: str
    """Where the sentences came from."""


@dataclass(frozen=True, slots=True)
class Path:
    """One runtime on the stream of mixed lengths."""

    runtime: str
    precision: Precision
    reason: str
    threads: int
    sentences_per_s: float
    tokens_per_s: float
    flops_per_s: float
    """Of real tokens, as the architecture needs them."""
    peak_flops_per_s: float | None
    """Of this machine's matrix products at this precision."""
    single_ms: float
    """Median of one sentence of middle length on an idle machine."""
    cosine_min: float
    cosine_mean: float
    """To the float32 reference, over some sentences."""

    @property
    def share(self) -> float | None:
        """Of the peak."""
        return None if self.peak_flops_per_s is None else self.flops_per_s / self.peak_flops_per_s


@dataclass(frozen=True, slots=True)
class Cell:
    """Sentences of one length in batches of one size."""

    batch: int
    tokens: int
    sentences_per_s: float | None
    """None where it would have taken far longer than its share of the time."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The stream at one setting: a token budget or a number of threads."""

    setting: int
    sentences_per_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """Latency at one rate of arrivals, from the moment each sentence was due."""

    share: float
    """Of the measured capacity."""
    offered_per_s: float
    served_per_s: float
    sentences: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run."""

    machine: Machine
    model: Model
    paths: tuple[Path, ...]
    missing: tuple[str, ...]
    """Precisions that were asked for and are not to be had, each with the reason."""
    chosen: str
    """The runtime that the rest was measured on."""
    cells: tuple[Cell, ...]
    budgets: tuple[Rate, ...]
    threads: tuple[Rate, ...]
    capacity_per_s: float
    """Sentences a second from text to vector."""
    loads: tuple[Load, ...]
    advice: tuple[str, ...]
    seconds: float

    @property
    def path(self) -> Path:
        """The one that was chosen."""
        return next(path for path in self.paths if path.runtime == self.chosen)

    def to_json(self) -> dict[str, Any]:
        """For results.json; shares are added to the paths."""
        found = asdict(self)
        for written, path in zip(found["paths"], self.paths, strict=True):
            written["share_of_peak"] = path.share
        return found
