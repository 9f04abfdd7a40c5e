"""One run of `mcse bench`: every precision on the stream, then the chosen one in depth."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from models.bench.advice import advise, choose
from models.bench.flops import Cost
from models.bench.load import measure_load
from models.bench.machine import Machine
from models.bench.peak import matrix_peak
from models.bench.plan import BATCHES, BUDGETS, LENGTHS, LOADS, SEED, Plan
from models.bench.results import Cell, Load, Model, Path, Rate, Results
from models.bench.stream import Stream
from models.bench.throughput import compared, measure_budget, measure_cell, measure_path
from models.bench.timing import repeat
from models.checkpoint import Checkpoint
from models.errors import PrecisionError
from models.runtime import PRECISIONS, PrecisionSetting, ReferenceRuntime, Runtime, open_runtime
from models.runtime.base import Vectors

_SERVED_TOGETHER = 64  # sentences, under load
_FASTEST_DEFAULT = BUDGETS[-1]  # tokens of a batch where only speed counts


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants measured."""

    texts: Sequence[str]
    source: str
    """Where the texts came from, in words."""
    seconds: float
    """About how long it may take, without opening the model."""
    threads: int
    """Of the encoder."""
    precisions: tuple[PrecisionSetting, ...] = PRECISIONS

    @property
    def parts(self) -> int:
        """How often a run tells what comes next, at most."""
        return len(self.precisions) + 3 + len(LOADS) + 3


@dataclass
class Bench:
    """A run on one checkpoint."""

    checkpoint: Checkpoint
    asked: Asked
    advance: Callable[[str], None]
    """Told what comes next."""

    def run(self) -> Results:
        """Measure everything.

        Raises:
            TextError: a text has no content.
            PrecisionError: nothing that was asked for is to be had here.
        """
        started = time.perf_counter()
        paths, missing = self._every_path()
        chosen = choose(paths)
        runtime = self._open(chosen.precision)
        capacity = self._capacity(runtime)
        cells, budgets = self._cells(runtime, chosen.tokens_per_s), self._budgets(runtime)
        loads = tuple(self._loads(runtime, capacity))
        threads = tuple(self._threads(chosen))
        return Results(
            machine=Machine.here(),
            model=self._model(),
            paths=tuple(paths),
            missing=tuple(missing),
            chosen=chosen.runtime,
            cells=cells,
            budgets=budgets,
            threads=threads,
            capacity_per_s=capacity,
            loads=loads,
            advice=advise(paths, chosen, threads, budgets),
            seconds=round(time.perf_counter() - started, 1),
        )

    @cached_property
    def _plan(self) -> Plan:
        return Plan.of(self.asked.seconds)

    @cached_property
    def _stream(self) -> Stream:
        return Stream.of(self.asked.texts, self._plan.sentences, self.checkpoint.tokenizer)

    def _open(self, precision: PrecisionSetting, threads: int | None = None) -> Runtime:
        return open_runtime(self.checkpoint, precision=precision, threads=threads or self.asked.threads)

    def _every_path(self) -> tuple[list[Path], list[str]]:
        reference = ReferenceRuntime(self.checkpoint).encode(compared(self._stream))
        paths: list[Path] = []
        missing: list[str] = []
        for precision in self.asked.precisions:
            try:
                runtime = self._open(precision)
            except PrecisionError as error:
                missing.append(f"{precision}: {error}")
            else:
                paths.append(self._path(runtime, reference))
        if not paths:
            raise PrecisionError(missing[0].partition(": ")[2])
        return paths, missing

    def _path(self, runtime: Runtime, reference: Vectors) -> Path:
        """The peak is measured before and after, and the higher counts: a core that others use now hides it."""
        self.advance(f"{runtime.name}, {runtime.threads} threads")
        before = self._peak(runtime)
        path = measure_path(
            runtime, self._stream, Cost.of(self.checkpoint), reference=reference, seconds=self._plan.path_s
        )
        peaks = [peak for peak in (before, self._peak(runtime)) if peak is not None]
        return replace(path, peak_flops_per_s=max(peaks, default=None))

    def _peak(self, runtime: Runtime) -> float | None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return matrix_peak(runtime.precision, runtime.threads, self._plan.peak_s / 2, device)

    def _cells(self, runtime: Runtime, tokens_per_s: float) -> tuple[Cell, ...]:
        self.advance("batch sizes and lengths")
        lengths = sorted({min(length, self.checkpoint.max_tokens) for length in LENGTHS})
        return tuple(
            measure_cell(runtime, self._stream, batch, length, rate=tokens_per_s, seconds=self._plan.cell_s)
            for length in lengths
            for batch in BATCHES
        )

    def _budgets(self, runtime: Runtime) -> tuple[Rate, ...]:
        self.advance("token budgets")
        return tuple(measure_budget(runtime, self._stream, budget, self._plan.budget_s) for budget in BUDGETS)

    def _capacity(self, runtime: Runtime) -> float:
        """Sentences a second from text to vector, as many together as under load."""
        self.advance("capacity")
        texts = self._stream.texts
        parts = [texts[at : at + _SERVED_TOGETHER] for at in range(0, len(texts), _SERVED_TOGETHER)]
        took = repeat(lambda: [self._serve(runtime, part) for part in parts], self._plan.path_s).middle
        return len(texts) / took

    def _serve(self, runtime: Runtime, texts: Sequence[str]) -> Vectors:
        return runtime.encode([tokenized.ids for tokenized in self.checkpoint.tokenizer.encode(texts)])

    def _loads(self, runtime: Runtime, capacity: float) -> Iterator[Load]:
        for share in LOADS:
            self.advance(f"latency at {share:.0%} of capacity")
            yield measure_load(
                lambda texts: self._serve(runtime, texts),
                self._stream.texts,
                share=share,
                capacity=capacity,
                seconds=self._plan.load_s,
                most=_SERVED_TOGETHER,
                seed=SEED,
            )

    def _threads(self, chosen: Path) -> Iterator[Rate]:
        """The stream on one thread, half of them and all."""
        for threads in sorted({1, max(1, chosen.threads // 2), chosen.threads}):
            self.advance(f"{threads} of {chosen.threads} threads")
            runtime = self._open(chosen.precision, threads)
            rate = measure_budget(runtime, self._stream, _FASTEST_DEFAULT, self._plan.budget_s)
            yield replace(rate, setting=threads)

    def _model(self) -> Model:
        lengths = self._stream.lengths
        return Model(
            name=self.checkpoint.name,
            fingerprint=self.checkpoint.fingerprint,
            pooling=self.checkpoint.pooling,
            dimension=self.checkpoint.dimension,
            max_tokens=self.checkpoint.max_tokens,
            sentences=len(lengths),
            mean_tokens=round(sum(lengths) / len(lengths), 1),
            source=self.asked.source,
        )
