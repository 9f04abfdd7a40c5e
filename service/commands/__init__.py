"""Commands on files and collections, one file each: `embed` needs no service, the others talk to a running one.

Heavy imports wait until a command runs.
"""

import typer

from service.commands.collections import collections
from service.commands.embed import embed
from service.commands.export import export
from service.commands.index import index
from service.commands.migrate import migrate
from service.commands.reindex import reindex
from service.commands.search import search

app = typer.Typer(help="Fill, read and move collections; embed files.", no_args_is_help=True)
for command in (index, search, collections, export, reindex, migrate, embed):
    app.command()(command)
