"""Commands that talk to a running service over HTTP, one file each. Heavy imports wait until a command runs."""

import typer

from service.commands.collections import collections
from service.commands.export import export
from service.commands.index import index
from service.commands.migrate import migrate
from service.commands.reindex import reindex
from service.commands.search import search

app = typer.Typer(help="Fill, read and move the collections of a running service.", no_args_is_help=True)
for command in (index, search, collections, export, reindex, migrate):
    app.command()(command)
