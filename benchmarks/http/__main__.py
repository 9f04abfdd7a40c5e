"""What a request costs before any encoding: our service around a runtime that does nothing.

    python -m benchmarks.http cost [--seconds 2] [--rounds 3]
    python -m benchmarks.http peer [--seconds 2] [--rounds 5]

Each server is a process of its own on uvicorn with uvloop and httptools. CPU is the server's own, user and system, from
/proc; the client is a socket, a request made beforehand and the length of the answer, so that it leaves the cores to
the server.
"""

from typing import Annotated

import typer

app = typer.Typer(help="HTTP without a model.", no_args_is_help=True, pretty_exceptions_enable=False)

Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="How long each is asked in each round.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="How often everything has its turn.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables for a page of the documentation.")]


@app.command()
def cost(seconds: Seconds = 2.0, rounds: Rounds = 3, markdown: Markdown = False) -> None:
    """CPU of a request with one text, and of each further text, in every form of the answer."""
    from benchmarks.compare import show
    from benchmarks.http.cost import NOTES, measure, tables

    show(tables(measure(seconds, rounds)), NOTES, as_markdown=markdown)


@app.command()
def peer(seconds: Seconds = 2.0, rounds: Rounds = 5, markdown: Markdown = False) -> None:
    """Requests a second beside Infinity's server around its own runtime that does nothing."""
    from benchmarks.compare import show
    from benchmarks.http.peer import NOTES, measure, tables

    show(tables(measure(seconds, rounds)), NOTES, as_markdown=markdown)


if __name__ == "__main__":
    app()
