"""`mcse index`: the records of files into a collection."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.told import told_in_one_sentence
from service.commands.options import (
    DEFAULT_URL,
    NAMED,
    CollectionOption,
    IndexKind,
    JsonOption,
    Metric,
    ResumeOption,
    Space,
    StateOption,
    Storage,
    UrlOption,
    resumable,
)
from service.commands.reading import (
    DelimiterOption,
    FilesArgument,
    FormatOption,
    IdFieldOption,
    IdPrefixOption,
    TextFieldOption,
    TypesOption,
    delimiter_of,
    types_of,
)

if TYPE_CHECKING:
    from service.commands.indexing import Done


def index(
    files: FilesArgument,
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    format: FormatOption = None,
    id_field: IdFieldOption = "id",
    text_field: TextFieldOption = "text",
    vector_field: Annotated[str, typer.Option(help="Field of the vector, where there is one.")] = "vector",
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", help="Field to keep as metadata; may be given again.", show_default="all others"),
    ] = None,
    types: TypesOption = None,
    delimiter: DelimiterOption = ",",
    id_prefix: IdPrefixOption = None,
    on_conflict: Annotated[
        Literal["replace", "skip", "error"], typer.Option(help="Where an id is there; error rejects the record.")
    ] = "replace",
    batch: Annotated[int, typer.Option(min=1, help="Records in a write; the service's limit bounds it.")] = 256,
    create: Annotated[bool, typer.Option(help="Make the collection where it is missing.")] = True,
    space: Annotated[Space | None, typer.Option(help="Of a collection that is made.", show_default="sentence")] = None,
    metric: Annotated[Metric | None, typer.Option(help="Of a collection that is made.", show_default="cosine")] = None,
    index_kind: Annotated[
        IndexKind | None, typer.Option("--index", help="Of a collection that is made.", show_default="auto")
    ] = None,
    storage: Annotated[
        Storage | None, typer.Option(help="Of a collection that is made.", show_default="float32")
    ] = None,
    resume: ResumeOption = False,
    state: StateOption = None,
    rejected: Annotated[Path | None, typer.Option(help="File for all rejected records, as JSONL.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a record was rejected.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the records of files to a collection of a running service.

    What is acknowledged is on disk. Stopped at any point, the same call with --resume goes on.

    Example: mcse index captions.jsonl --collection captions
    """
    made_as = _made_as(create, {"space": space, "metric": metric, "index": index_kind, "storage": storage})
    with told_in_one_sentence(*NAMED), resumable():
        from service.commands.indexing import Job, index_files
        from service.importing.options import ReadOptions

        options = ReadOptions(
            id_field=id_field,
            text_field=text_field,
            vector_field=vector_field,
            metadata_fields=frozenset(metadata) if metadata else None,
            types=types_of(types),
            delimiter=delimiter_of(delimiter),
        )
        job = Job(tuple(files), collection, format, options, on_conflict, batch, id_prefix)
        done = index_files(job, url, made_as, resume=resume, state_path=state, rejected=rejected)
        _tell(done, rejected, as_json)
        if strict and done.rejected:
            raise typer.Exit(1)


def _made_as(create: bool, given: dict[str, str | None]) -> dict[str, str] | None:
    """How to make the collection; None where it must be there."""
    made_as = {name: value for name, value in given.items() if value is not None}
    if made_as and not create:
        raise typer.BadParameter(f"--{next(iter(made_as))} says how to make a collection, and --no-create forbids it.")
    return made_as if create else None


def _tell(done: "Done", rejected: Path | None, as_json: bool) -> None:
    """The summary, on standard output."""
    if as_json:
        counts = ("read", "written", "replaced", "skipped", "truncated", "rejected")
        told = {name: getattr(done, name) for name in counts}
        typer.echo(json.dumps({**told, "examples": done.examples}, indent=2, ensure_ascii=False))
        return
    typer.echo(
        f"{done.read:,} read, {done.written:,} written ({done.replaced:,} of them replaced a point), "
        f"{done.skipped:,} skipped, {done.rejected:,} rejected"
    )
    if done.truncated:
        typer.echo(f"{done.truncated:,} texts are longer than the model reads; their beginning was embedded")
    for example in done.examples:
        typer.echo(f"  {example['file']}, line {example['line']}: {example['reason']}")
    if done.rejected > len(done.examples):
        where = f"all of them are in {rejected}" if rejected else "--rejected FILE writes all of them"
        typer.echo(f"  and {done.rejected - len(done.examples):,} more; {where}")
