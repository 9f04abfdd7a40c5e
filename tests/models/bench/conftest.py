"""Figures as a run might have found them."""

import pytest

from models.bench.advice import advise, choose
from models.bench.machine import Machine
from models.bench.results import Cell, Load, Model, Path, Rate, Results
from models.runtime.base import Precision


def path(precision: Precision, rate: float, cosine: float, peak: float | None = 400e9) -> Path:
    return Path(
        runtime=f"packed-{precision}",
        precision=precision,
        reason="it is fast",
        threads=2,
        sentences_per_s=rate,
        tokens_per_s=rate * 30,
        flops_per_s=rate * 0.5e9,
        peak_flops_per_s=peak,
        single_ms=3.0,
        cosine_min=cosine,
        cosine_mean=(1 + cosine) / 2,
    )


@pytest.fixture
def results() -> Results:
    paths = (path("float32", 200, 1.0), path("bfloat16", 600, 0.9998), path("int8", 900, 0.98, peak=None))
    chosen = choose(paths)
    threads = (Rate(1, 320.0), Rate(2, 600.0))
    budgets = (Rate(256, 400.0), Rate(1024, 590.0), Rate(4096, 600.0))
    return Results(
        machine=Machine("a <processor>", 2, 24.0, ("avx512f",), None, "Linux", "2.13.0"),
        model=Model("mcse", "f" * 64, "mean", 384, 256, 256, 24.7, "drawn from a seed"),
        paths=paths,
        missing=(),
        chosen=chosen.runtime,
        cells=(Cell(1, 8, 400.0), Cell(8, 8, 1500.0), Cell(1, 32, 110.0), Cell(8, 32, None)),
        budgets=budgets,
        threads=threads,
        capacity_per_s=580.0,
        loads=(Load(0.1, 58.0, 57.9, 120, 3.0, 6.0, 8.0), Load(0.9, 522.0, 520.0, 1044, 16.0, 45.0, 106.0)),
        advice=advise(paths, chosen, threads, budgets),
        seconds=44.0,
    )
