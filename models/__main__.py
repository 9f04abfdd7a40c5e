"""`python -m models`: the same as `mcse verify` and `mcse bench`."""

from models.cli import app

if __name__ == "__main__":
    app(prog_name="python -m models")
