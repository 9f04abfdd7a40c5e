"""The one command, `mcse`: the commands of models, training and service under one roof."""

import typer

from models.cli import app as models_app
from service.cli import app as service_app
from service.commands import app as commands_app
from training.cli import app as training_app

app = typer.Typer(
    name="mcse",
    help="Sentence embeddings and semantic search, grounded in images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for part in (service_app, commands_app, training_app, models_app):
    app.registered_commands.extend(part.registered_commands)
    app.registered_groups.extend(part.registered_groups)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="mcse")


if __name__ == "__main__":
    main()
