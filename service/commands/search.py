"""`mcse search`: the points nearest to some texts."""

import json
from typing import Annotated, Any, Literal

import typer

from models.told import told_in_one_sentence
from service.commands.options import (
    DEFAULT_URL,
    NAMED,
    CollectionOption,
    FilterOption,
    JsonOption,
    UrlOption,
    filter_of,
)


def search(
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="Texts to look for.", show_default=False)],
    collection: CollectionOption = "default",
    url: UrlOption = DEFAULT_URL,
    limit: Annotated[int, typer.Option(min=1, help="Hits for each query.")] = 10,
    filter: FilterOption = None,
    mode: Annotated[
        Literal["dense", "lexical", "hybrid"], typer.Option(help="By vectors, by words, or by both.")
    ] = "dense",
    exact: Annotated[bool, typer.Option("--exact", help="Look at every point.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the points that are nearest to each query, best first.

    Example: mcse search "a dog by the sea" --collection captions --limit 5
    """
    wanted = filter_of(filter)
    asked = {"query": queries, "limit": limit, "filter": wanted, "mode": mode, "exact": exact}
    with told_in_one_sentence(*NAMED):
        from contextlib import closing

        from service.commands.client import Client, collection_path

        with closing(Client(url)) as client:
            answer = client.call("POST", collection_path(collection, "/search"), asked)
        if as_json:
            typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            _print(queries, answer["results"], mode)


def _print(queries: list[str], results: list[list[dict[str, Any]]], mode: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    scores = ["score", *(["dense_score", "lexical_score"] if mode == "hybrid" else [])]
    for query, hits in zip(queries, results, strict=True):
        table = Table(title=Text(query), title_justify="left", box=None, header_style="bold")
        for name in scores:
            table.add_column(name.removesuffix("_score"), justify="right")
        for name in ("id", "text", "metadata"):
            table.add_column(name, overflow="fold")
        for hit in hits:
            told = ["-" if hit[name] is None else f"{hit[name]:.4f}" for name in scores]
            metadata = json.dumps(hit["metadata"], ensure_ascii=False) if hit["metadata"] else ""
            table.add_row(*told, Text(str(hit["id"])), Text(hit["text"] or ""), Text(metadata))
        Console().print(table)
        if not hits:
            typer.echo("nothing found")
