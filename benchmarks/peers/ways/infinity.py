"""Infinity's own command; a console script would name the interpreter of the machine that made the environment."""

from infinity_emb.cli import cli  # type: ignore[import-not-found, unused-ignore]

if __name__ == "__main__":
    cli()
