"""`python -m training`: the same as `mcse train` and `mcse evaluate`."""

from training.cli import app

if __name__ == "__main__":
    app(prog_name="python -m training")
