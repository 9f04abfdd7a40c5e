"""What a benchmark of search hands on: tables for the eye, figures for a file, and the state of the machine."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare import show
from models.bench.tables import Table
from models.cores import usable_cores


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one command."""

    tables: Sequence[Table]
    figures: Mapping[str, Any]
    """All that the tables were made of, as JSON takes it."""
    notes: Mapping[str, str]
    """What has to be known about the tables."""


def finish(report: Report, *, as_markdown: bool, to: Path | None) -> None:
    """Print it, and write the figures where that was asked for."""
    load = (
        f"{usable_cores()} cores; load of the last 1, 5 and 15 minutes {' '.join(f'{v:.1f}' for v in os.getloadavg())}"
    )
    notes = {**report.notes, "machine": load}
    show(report.tables, notes, as_markdown=as_markdown)
    if to is not None:
        to.write_text(json.dumps({**report.figures, "notes": notes}, indent=1) + "\n", encoding="utf-8")
