"""What several commands share: which service, which collection, and which errors are told in one sentence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from service.commands.errors import CommandError
from service.errors import InvalidInput
from service.importing.errors import SourceError

DEFAULT_URL = "http://127.0.0.1:8080"
NAMED = (CommandError, InvalidInput, SourceError)

UrlOption = Annotated[str, typer.Option("--url", help="Address of the running service; MCSE_API_KEY is its key.")]
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Name or alias of the collection.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
FilterOption = Annotated[
    str | None,
    typer.Option("--filter", metavar="JSON", help="Only the points that a filter of the API lets through."),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where a run of the same call was cut off.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="File that says how far a run has come.", show_default="beside it")
]

Metric: TypeAlias = Literal["cosine", "dot"]
Space: TypeAlias = Literal["sentence", "grounded"]
IndexKind: TypeAlias = Literal["flat", "hnsw", "ivf", "auto"]
Storage: TypeAlias = Literal["float32", "int8"]


def filter_of(given: str | None) -> dict[str, Any] | None:
    """The object in --filter; what is in it the service checks."""
    if given is None:
        return None
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"it is not valid JSON ({error}).", param_hint="--filter") from None
    if not isinstance(value, dict):
        raise typer.BadParameter('it is no object; expected such as {"must": [...]}.', param_hint="--filter")
    return value


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C during a run that can go on ends it with a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped. What is acknowledged is written; the same call with --resume goes on.", err=True)
        raise typer.Exit(130) from None
