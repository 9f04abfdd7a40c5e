"""What `mcse bench` does around the measuring: sentences in, a bar on stderr, files and tables out."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from models.bench.page import page
from models.bench.plan import SEED
from models.bench.results import Results
from models.bench.run import Asked, Bench
from models.bench.sentences import draw_sentences, read_lines
from models.bench.tables import show
from models.checkpoint import Checkpoint
from models.files import write_durably
from models.runtime import PRECISIONS, PrecisionSetting

_DRAWN = 256
_PIPE_WIDTH = 140  # where there is no terminal to ask


def bench(
    checkpoint: Checkpoint,
    *,
    precision: PrecisionSetting | None,
    threads: int,
    seconds: float,
    source: Path | None,
    output: Path,
    as_json: bool,
) -> None:
    """Measure, write `results.json` and `bench.html` into `output`, and print tables or the JSON.

    Args:
        checkpoint: an opened model.
        precision: one, or None for each.
        threads: of the encoder.
        seconds: about how long to measure.
        source: a file of sentences; None draws some.
        output: a directory, made where it is not there.
        as_json: print the JSON instead of tables.

    Raises:
        TextError: the file holds no sentence, or one without content.
        PrecisionError: the precision is not to be had here.
        OSError: the file cannot be read, or the directory not be written.
    """
    texts = draw_sentences(_DRAWN, SEED) if source is None else read_lines(source)
    output.mkdir(parents=True, exist_ok=True)
    precisions: Sequence[PrecisionSetting] = PRECISIONS if precision is None else (precision,)
    asked = Asked(
        texts=texts,
        source="drawn from a seed" if source is None else f"from {source.name}",
        seconds=seconds,
        precisions=tuple(precisions),
        threads=threads,
    )
    results = _measured(checkpoint, asked)
    written = json.dumps(results.to_json(), indent=2, ensure_ascii=False) + "\n"
    write_durably(output / "results.json", written.encode())
    write_durably(output / "bench.html", page(results).encode())
    if as_json:
        sys.stdout.write(written)
        return
    screen = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    show(results, screen)
    screen.print(f"\nWritten: {output / 'results.json'} and {output / 'bench.html'}", highlight=False)


def _measured(checkpoint: Checkpoint, asked: Asked) -> Results:
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening", total=asked.parts)
        return Bench(checkpoint, asked, lambda what: progress.update(task, advance=1, description=what)).run()
