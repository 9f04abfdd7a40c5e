"""`mcse collections`: what there is."""

import json
from typing import Any

import typer

from models.told import told_in_one_sentence
from service.commands.options import DEFAULT_URL, NAMED, JsonOption, UrlOption


def collections(url: UrlOption = DEFAULT_URL, as_json: JsonOption = False) -> None:
    """List the collections of a running service, with their sizes, kinds, models and aliases.

    Example: mcse collections
    """
    with told_in_one_sentence(*NAMED):
        from contextlib import closing

        from service.commands.client import Client
        from service.commands.describe import Service

        with closing(Client(url)) as client:
            found = client.call("GET", "/collections")["collections"]
            aliases = client.call("GET", "/aliases")["aliases"]
            fingerprint = Service.of(client).fingerprint
        for collection in found:
            collection["aliases"] = [entry["alias"] for entry in aliases if entry["collection"] == collection["name"]]
            collection["of_running_model"] = collection["model_fingerprint"] == fingerprint
        if as_json:
            typer.echo(json.dumps({"collections": found}, indent=2, ensure_ascii=False))
        else:
            _print(found)


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    table.add_column("name", overflow="fold")
    table.add_column("points", justify="right")
    for name in ("space", "metric", "index", "storage", "model", "aliases", "description"):
        table.add_column(name, overflow="fold")
    for each in found:
        model = each["model_fingerprint"][:12] + ("" if each["of_running_model"] else " (another)")
        table.add_row(
            Text(each["name"]),
            f"{each['count']:,}",
            f"{each['space']} {each['dimension']}",
            *(each[name] for name in ("metric", "index", "storage")),
            model,
            Text(", ".join(each["aliases"])),
            Text(each["description"] or ""),
        )
    Console().print(table)
