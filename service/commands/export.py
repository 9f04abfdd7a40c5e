"""`mcse export`: a collection into a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.told import told_in_one_sentence
from service.commands.options import DEFAULT_URL, NAMED, CollectionOption, FilterOption, UrlOption, filter_of


def export(
    collection: CollectionOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - is standard output.")],
    url: UrlOption = DEFAULT_URL,
    format: Annotated[
        Literal["jsonl", "csv", "parquet"] | None,
        typer.Option(help='jsonl keeps everything; csv does not tell 1 from "1".', show_default="by the name"),
    ] = None,
    filter: FilterOption = None,
    with_vector: Annotated[bool, typer.Option("--with-vector", help="Write the vectors too.")] = False,
) -> None:
    """Write the points of a collection to a file that `mcse index` reads again.

    The file appears whole or not at all.

    Example: mcse export --collection captions --output captions.jsonl --with-vector
    """
    wanted = filter_of(filter)
    with told_in_one_sentence(*NAMED):
        from service.commands.exporting import Export, export_points, format_of_output

        form = format or format_of_output(output)
        count = export_points(Export(collection, output, form, wanted, with_vector), url)
        typer.echo(f"{count:,} points to {output}", err=True)
