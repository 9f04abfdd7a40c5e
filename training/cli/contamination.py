"""`mcse contamination`: which evaluation sentences a run trains on."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.told import told_in_one_sentence
from training.cli.options import DEFAULT_DATA, NAMED, DataOption, JsonOption

if TYPE_CHECKING:
    from training.evaluation.contamination import Overlap


def contamination(
    config: Annotated[Path, typer.Argument(help="TOML file of a run, whose text and captions are looked through.")],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Tell how many items of every evaluation set hold a sentence that the run trains on.

    Sentences are the same if their letters and digits are, in lower case.
    """
    with told_in_one_sentence(*NAMED):
        from training.config import load_config
        from training.evaluation.contamination import report, training_texts

        found = report(training_texts(load_config(config), data), data)
        if as_json:
            counts = {name: {"items": overlap.items, "shared": overlap.shared} for name, overlap in found.items()}
            sys.stdout.write(json.dumps(counts, indent=2) + "\n")
        else:
            _print(str(config), found)


def _print(config: str, found: "dict[str, Overlap]") -> None:
    """A row for each set; subsets only where they share something."""
    from training.cli.tables import console, table

    made = table(f"Items with a sentence that {config} trains on", ["set", "shared", "of", "percent"])
    for name, overlap in found.items():
        if overlap.shared or "/" not in name:
            percent = 100 * overlap.shared / overlap.items
            made.add_row(name, f"{overlap.shared:,}", f"{overlap.items:,}", f"{percent:.1f}")
    console().print(made)
