"""`python -m service` is `mcse serve`; `python -m service healthcheck` is for the container."""

import sys

from service.cli import app

COMMANDS = {"serve", "healthcheck"}


def main() -> None:
    """Run the command that was named, or `serve` where only flags were given."""
    arguments = sys.argv[1:]
    if not COMMANDS.intersection(arguments[:1]):
        arguments = ["serve", *arguments]
    app(arguments, prog_name="python -m service")


if __name__ == "__main__":
    main()
