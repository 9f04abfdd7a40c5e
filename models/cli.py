"""`mcse embed`, `mcse verify` and `mcse bench`. Heavy imports wait until a command runs, so that --help is quick."""

import sys
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

ModelOption = Annotated[
    str, typer.Option("--model", envvar="MCSE_MODEL", help="Model directory, package:NAME, or hub id.")
]

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
def embed(
    source: Annotated[Path, typer.Argument(help="Text file, one sentence a line; - reads standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .npy file to write: float32, a row per line.")],
    model: ModelOption = str(SHIPPED),
    pooling: PoolingOption = None,
    space: Annotated[
        Literal["sentence", "grounded"],
        typer.Option(help="Which vectors: the sentence's, or those shared with images."),
    ] = "sentence",
    normalize: Annotated[bool, typer.Option(help="Scale each vector to length 1.")] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences encoded at a time.")] = 256,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"],
        typer.Option(envvar="MCSE_PRECISION", help="Numbers to compute in; auto is what the hardware multiplies fast."),
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the encoder; 0 is one per usable core.")] = 0,
) -> None:
    """Turn a file of sentences into a matrix of vectors."""
    with told_in_one_sentence(CheckpointError, PrecisionError, TextError):
        from models.embed import embed_lines
        from models.serving import open_to_serve

        if not output.parent.is_dir():
            raise FileNotFoundError(f"{output.parent}: there is no such directory to write into")
        lines = (sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()).splitlines()
        checkpoint, runtime = open_to_serve(
            model, pooling=pooling, precision=precision, threads=threads or usable_cores()
        )
        count, truncated = embed_lines(
            checkpoint.tokenizer, runtime, lines, output, space=space, normalize=normalize, batch_size=batch_size
        )
        note = f"; {truncated} were longer than the model reads and were cut" if truncated else ""
        typer.echo(f"{count} sentences to {output}{note}", err=True)


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
