"""How a command reports an error that has a name: one line on stderr and exit status 1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def told_in_one_sentence(*errors: type[Exception]) -> Iterator[None]:
    """Turn `errors`, a file that cannot be used and a missing package into one line; others keep their traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    named: tuple[type[Exception], ...] = (FileNotFoundError, IsADirectoryError, PermissionError, *errors)
    try:
        yield
    except ModuleNotFoundError as error:
        typer.echo(
            f"Error: {error.name} is not installed. Install what this command needs: pip install '.[train]'", err=True
        )
        raise typer.Exit(1) from error
    except named as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
