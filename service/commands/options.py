"""What several commands share: which service, which collection, and which errors are told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from service.commands.errors import CommandError
from service.errors import InvalidInput
from service.importing.errors import SourceError

DEFAULT_URL = "http://127.0.0.1:8080"
NAMED = (CommandError, InvalidInput, SourceError)

UrlOption = Annotated[str, typer.Option("--url", help="Address of the running service.")]
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Name or alias of the collection.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where a run of the same call was cut off.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="File that says how far a run has come.", show_default="beside it")
]

Metric: TypeAlias = Literal["cosine", "dot"]
Space: TypeAlias = Literal["sentence", "grounded"]
IndexKind: TypeAlias = Literal["flat", "hnsw", "ivf", "auto"]
Storage: TypeAlias = Literal["float32", "int8"]


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C during a run that can go on ends it with a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped. What is acknowledged is written; the same call with --resume goes on.", err=True)
        raise typer.Exit(130) from None
