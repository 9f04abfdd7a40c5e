"""Search: our collections beside their peers and against their own targets, on real vectors.

    python -m benchmarks.search recall [--count 200000]

Vectors are those of Wikipedia sentences, made once and kept under MCSE_CACHE, as are the environments of peers. What is
compared takes turns in one run.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Search beside its peers.", no_args_is_help=True, pretty_exceptions_enable=False)

Count = Annotated[int, typer.Option("--count", min=1_000, help="Points in the collection.")]
Queries = Annotated[int, typer.Option("--queries", min=100, help="Queries, which are none of the points.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="How often everything has its turn.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables for a page of the documentation.")]


@app.command()
def recall(
    count: Count = 200_000, queries: Queries = 2_000, rounds: Rounds = 7, json: Json = None, markdown: Markdown = False
) -> None:
    """Searches a second at recall@10 of 0.95 and 0.99, beside hnswlib and USearch used directly."""
    from benchmarks.search.recall import measure
    from benchmarks.search.report import finish

    finish(measure(count, queries, rounds), as_markdown=markdown, to=json)


@app.command()
def filtered(
    count: Count = 200_000, queries: Queries = 300, rounds: Rounds = 5, json: Json = None, markdown: Markdown = False
) -> None:
    """Searches with filters that let 0.1, 1, 10 and 50 % of the points through: recall, and time over that without."""
    from benchmarks.search.filtered import measure
    from benchmarks.search.report import finish

    finish(measure(count, queries, rounds), as_markdown=markdown, to=json)


@app.command()
def writes(
    count: Count = 200_000,
    rows: Annotated[int, typer.Option(min=256, help="Rows of each turn.")] = 10_240,
    rounds: Rounds = 5,
    json: Json = None,
    markdown: Markdown = False,
) -> None:
    """Durable upserts of ready vectors in batches of 256."""
    from benchmarks.search.report import finish
    from benchmarks.search.writes import measure

    finish(measure(count, rows, rounds), as_markdown=markdown, to=json)


@app.command()
def beside(
    count: Count = 200_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each turn.")] = 4.0,
    rounds: Rounds = 5,
    json: Json = None,
    markdown: Markdown = False,
) -> None:
    """Latencies of searches while 1,000 rows a second are written, and without."""
    from benchmarks.search.beside import measure
    from benchmarks.search.report import finish

    finish(measure(count, seconds, rounds), as_markdown=markdown, to=json)


@app.command()
def texts(
    sentences: Annotated[int, typer.Option(min=1_024, help="Sentences of each round.")] = 4_096,
    rounds: Rounds = 5,
    json: Json = None,
    markdown: Markdown = False,
) -> None:
    """Upserts of texts through the real server, against the encoder alone."""
    from benchmarks.search.report import finish
    from benchmarks.search.texts import measure

    finish(measure(sentences, rounds), as_markdown=markdown, to=json)


@app.command()
def start(count: Count = 1_000_000, rounds: Rounds = 3, json: Json = None, markdown: Markdown = False) -> None:
    """Ready again from a kept index and after a kill without one, and memory of the compact kind."""
    from benchmarks.search.report import finish
    from benchmarks.search.start import measure

    finish(measure(count, rounds), as_markdown=markdown, to=json)


@app.command()
def http(
    count: Count = 200_000, queries: Queries = 2_000, rounds: Rounds = 5, json: Json = None, markdown: Markdown = False
) -> None:
    """Vector queries over 16 connections: our server beside Chroma's."""
    from benchmarks.search.http import measure
    from benchmarks.search.report import finish

    finish(measure(count, queries, rounds), as_markdown=markdown, to=json)


@app.command()
def quality(
    queries: Annotated[int, typer.Option(min=20, help="Of each set.")] = 4_000,
    json: Json = None,
    markdown: Markdown = False,
) -> None:
    """A caption finds the others of its image, three words their sentence: by vectors, by words and by both."""
    from benchmarks.search.quality import measure
    from benchmarks.search.report import finish

    finish(measure(queries), as_markdown=markdown, to=json)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.search")
