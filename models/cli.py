"""`mcse verify` and `mcse bench`. Heavy imports wait until a command runs, so that --help is quick."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.config import Pooling
from models.cores import usable_cores
from models.errors import CheckpointError, PrecisionError, TextError
from models.shipped import SHIPPED
from models.told import told_in_one_sentence

QUICK_S = 8.0

app = typer.Typer(help="Use a checkpoint without a server.", no_args_is_help=True)

PoolingOption = Annotated[
    Pooling | None,
    typer.Option("--pooling", envvar="MCSE_POOLING", help="Instead of what the checkpoint says."),
]


@app.command()
def verify(
    path: Annotated[str, typer.Argument(help="Model directory, package:NAME, or hub id.")] = str(SHIPPED),
    pooling: PoolingOption = None,
) -> None:
    """Explain a checkpoint and try it; fails with the reason where it is broken."""
    with told_in_one_sentence(CheckpointError, TextError):
        from models.loader import load
        from models.verify import verify as try_it

        found = try_it(load(path, pooling=pooling))
        width = max(map(len, found.facts))
        for name, fact in found.facts.items():
            typer.echo(f"{name:<{width}}  {fact}")
        typer.echo(f"{'trial':<{width}}  same meaning {found.same:.2f}, unrelated {found.other:.2f}: it works")


@app.command()
def bench(
    path: Annotated[str, typer.Argument(envvar="MCSE_MODEL", help="Model directory, package:NAME, or hub id.")] = str(
        SHIPPED
    ),
    pooling: PoolingOption = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8", "all"],
        typer.Option(help="What to measure; all compares every precision that this machine has."),
    ] = "all",
    threads: Annotated[
        int, typer.Option(min=0, envvar="MCSE_THREADS", help="Threads of the encoder; 0 is one per usable core.")
    ] = 0,
    seconds: Annotated[float, typer.Option(min=1, help="About how long to measure, after the model is open.")] = 45,
    quick: Annotated[bool, typer.Option("--quick", help="Measure for about 8 seconds: a first look.")] = False,
    source: Annotated[
        Path | None, typer.Option("--input", help="Text file, one sentence a line; drawn sentences where left out.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for results.json and bench.html.")] = Path(
        "runs/bench"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON instead of tables.")] = False,
) -> None:
    """Measure what this machine makes of a checkpoint: throughput, latency under load, share of the peak, settings."""
    with told_in_one_sentence(CheckpointError, PrecisionError, TextError):
        from models.bench.command import bench as measure
        from models.loader import load

        measure(
            load(path, pooling=pooling),
            precision=None if precision == "all" else precision,
            threads=threads or usable_cores(),
            seconds=min(seconds, QUICK_S) if quick else seconds,
            source=source,
            output=output,
            as_json=as_json,
        )
