"""Options of the commands that read records out of files."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from service.importing.options import CellType

_TYPES: "tuple[CellType, ...]" = ("string", "int", "float", "bool", "json")

FileFormat: TypeAlias = Literal["jsonl", "csv", "tsv", "text", "parquet"]

FilesArgument = Annotated[list[str], typer.Argument(help="Files of records; - is standard input.", show_default=False)]
FormatOption = Annotated[
    FileFormat | None,
    typer.Option("--format", help="Of all files; text is a sentence a line.", show_default="by the names"),
]
IdFieldOption = Annotated[str, typer.Option("--id-field", help="Field of the id; records without one get FILE:LINE.")]
TextFieldOption = Annotated[str, typer.Option("--text-field", help="Field of the text.")]
TypesOption = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="FIELD=TYPE", help=f"CSV: type of a column: {', '.join(_TYPES)}."),
]
DelimiterOption = Annotated[str, typer.Option("--delimiter", help="CSV: what separates cells.")]
IdPrefixOption = Annotated[str | None, typer.Option("--id-prefix", help="Before ids that are made.")]


def types_of(given: list[str] | None) -> "dict[str, CellType]":
    """The types of columns in --type; raises typer.BadParameter."""
    types: dict[str, CellType] = {}
    for pair in given or []:
        name, _, kind = pair.rpartition("=")
        known = [known for known in _TYPES if known == kind]
        if not name or not known:
            raise typer.BadParameter(f"{pair!r} is no FIELD=TYPE with one of {', '.join(_TYPES)}.", param_hint="--type")
        types[name] = known[0]
    return types


def delimiter_of(given: str) -> str:
    """The character in --delimiter; raises typer.BadParameter."""
    delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise typer.BadParameter(f"{given!r} is not one character of ASCII.", param_hint="--delimiter")
    return delimiter
