"""What several commands share: where the data is, and which errors are told in one sentence."""

from pathlib import Path
from typing import Annotated

import typer

from models.errors import CheckpointError, TextError
from training.errors import ConfigError, DataError, TrainingError

DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="MCSE_DATA",
        help="Folder of training and evaluation data.",
        show_default=True,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_DATA = Path("../shared/data")
NAMED = (CheckpointError, TextError, ConfigError, DataError, TrainingError)
