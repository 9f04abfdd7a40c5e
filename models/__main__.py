"""`python -m models`: the same as `mcse embed` and `mcse verify`."""

from models.cli import app

if __name__ == "__main__":
    app(prog_name="python -m models")
