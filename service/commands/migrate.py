"""`mcse migrate`: a collection from one service to another."""

from pathlib import Path
from typing import Annotated

import typer

from models.told import told_in_one_sentence
from service.commands.options import NAMED, CollectionOption, ResumeOption, resumable


def migrate(
    source: Annotated[str, typer.Option("--from", help="Address of the service that has the collection.")],
    target: Annotated[str, typer.Option("--to", help="Address of the service that gets it.")],
    collection: CollectionOption,
    into: Annotated[str | None, typer.Option(help="Its name there.", show_default="the same")] = None,
    resume: ResumeOption = False,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="File that says how far a run has come.", show_default="mcse-migrate-NAME.json"),
    ] = None,
) -> None:
    """Copy a collection from one running service to another: between two machines, or to a Qdrant cluster and back.

    Both must run the same model. Vectors are copied as they are; then every point is compared. The API key is that of
    MCSE_API_KEY; for the source, that of MCSE_SOURCE_API_KEY where it is set.

    Example: mcse migrate --from http://old:8080 --to http://new:8080 --collection captions
    """
    with told_in_one_sentence(*NAMED), resumable():
        from service.commands.migrating import Migration, migrate_collection

        found = migrate_collection(Migration(source, target, collection, into), resume=resume, state_path=state)
        typer.echo(f"{found.points:,} points are at {target}, each with the same text and metadata")
        if found.largest == 0:
            typer.echo(f"vectors are the same bit for bit; digest of both sides {found.digests[0]}")
        else:
            typer.echo(f"no number of a vector differs by more than {found.largest:.1e}")
            typer.echo(f"digests {found.digests[0]} and {found.digests[1]}")
