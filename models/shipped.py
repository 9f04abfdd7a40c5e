"""Where the checkpoint that ships with the repository is."""

from pathlib import Path

SHIPPED = Path(__file__).resolve().parent / "checkpoints" / "mcse-minilm-l6"
