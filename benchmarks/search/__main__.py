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


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.search")
