"""`mcse reindex`: a collection of another model, made anew with the running one."""

from pathlib import Path
from typing import Annotated

import typer

from models.told import told_in_one_sentence
from service.commands.options import DEFAULT_URL, NAMED, CollectionOption, ResumeOption, UrlOption, resumable


def reindex(
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    into: Annotated[
        str | None, typer.Option(help="Name of the new collection.", show_default="the old one's and the model's")
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option(help="Alias to switch to the new collection.", show_default="--collection, if it is one"),
    ] = None,
    drop_without_text: Annotated[
        bool, typer.Option("--drop-without-text", help="Go on although some points have no text to embed.")
    ] = False,
    resume: ResumeOption = False,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="File that says how far a run has come.", show_default="mcse-reindex-NEW.json"),
    ] = None,
) -> None:
    """Embed the texts of a collection with the model that runs now, into a new collection.

    The old collection answers as before until all is verified and the alias is switched in one step; it stays.
    Stopped at any point, the same call with --resume goes on.

    Example: mcse reindex --collection captions --alias captions-live
    """
    with told_in_one_sentence(*NAMED), resumable():
        from service.commands.reindexing import Reindexing, reindex_collection

        asked = Reindexing(url, collection, into, alias, drop_without_text)
        done = reindex_collection(asked, resume=resume, state_path=state)
        if done is None:
            typer.echo(f"{collection} is of the running model already; nothing to do")
            return
        dropped = f", {done.dropped:,} without a text left out" if done.dropped else ""
        typer.echo(f"{done.count:,} points of {done.old} are in {done.new}{dropped}")
        if done.alias is not None:
            typer.echo(f"the alias {done.alias} stands for {done.new}")
