"""The results as tables, in plain text: for the terminal and for the page alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from models.bench.results import Cell, Path, Results


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the names of the columns, and rows whose first cell names them."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> RichTable:
        """For the terminal."""
        made = RichTable(title=self.title, title_justify="left")
        for number, name in enumerate(self.header):
            made.add_column(name, justify="right" if number else "left")
        for row in self.rows:
            made.add_row(*row)
        return made


def tables(results: Results) -> list[Table]:
    """All of them, in the order to read."""
    return [_paths(results.paths), _cells(results.cells), _loads(results), _settings(results)]


def show(results: Results, console: Console) -> None:
    """Print everything."""
    console.print(*facts(results), sep="\n", highlight=False)
    for table in tables(results):
        console.print()
        console.print(table.rich())
    for line in results.missing:
        console.print(f"Not here: {line}", highlight=False)
    console.print("\nRecommended", style="bold")
    for line in results.advice:
        console.print(f"• {line}", highlight=False)


def facts(results: Results) -> list[str]:
    """What was measured, where, in a few lines."""
    machine, model = results.machine, results.model
    processor = machine.gpu or f"{machine.processor}, {machine.cores} cores"
    return [
        f"{model.name}: {model.pooling} pooling, {model.dimension} dimensions, at most {model.max_tokens} tokens",
        f"{processor}, {machine.memory_gb:g} GB; {', '.join(machine.instructions) or 'no vector instructions told'}",
        f"{machine.system}, torch {machine.torch}",
        f"{model.sentences} sentences of {model.mean_tokens} tokens on average, {model.source}",
        f"measured in {results.seconds:.0f} s",
    ]


def _paths(paths: Sequence[Path]) -> Table:
    header = (
        "runtime",
        "threads",
        "sentences/s",
        "tokens/s",
        "GFLOP/s",
        "peak",
        "share",
        "1 sentence",
        "cosine, lowest",
    )
    return Table("Throughput, mixed lengths", header, tuple(map(_path, paths)))


def _path(path: Path) -> tuple[str, ...]:
    return (
        path.runtime,
        str(path.threads),
        f"{path.sentences_per_s:,.0f}",
        f"{path.tokens_per_s:,.0f}",
        f"{path.flops_per_s / 1e9:,.0f}",
        "–" if path.peak_flops_per_s is None else f"{path.peak_flops_per_s / 1e9:,.0f}",
        "–" if path.share is None else f"{path.share:.0%}",
        f"{path.single_ms:.1f} ms",
        f"{path.cosine_min:.6f}",
    )


def _cells(cells: Sequence[Cell]) -> Table:
    lengths = sorted({cell.tokens for cell in cells})
    rate = {(cell.batch, cell.tokens): cell.sentences_per_s for cell in cells}
    rows = tuple(
        (str(batch), *(_rate(rate[batch, length]) for length in lengths)) for batch in sorted({c.batch for c in cells})
    )
    return Table("Sentences a second, by batch size and length", ("batch", *(f"{n} tokens" for n in lengths)), rows)


def _loads(results: Results) -> Table:
    rows = tuple(
        (
            f"{load.share:.0%}",
            f"{load.offered_per_s:,.1f}",
            f"{load.served_per_s:,.1f}",
            *(f"{value:,.1f} ms" for value in (load.p50_ms, load.p95_ms, load.p99_ms)),
        )
        for load in results.loads
    )
    title = f"Latency from the moment due, at shares of {results.capacity_per_s:,.0f} sentences/s"
    return Table(title, ("load", "offered/s", "served/s", "p50", "p95", "p99"), rows)


def _settings(results: Results) -> Table:
    rows = [
        (f"{rate.setting} thread{'s' * (rate.setting > 1)}", _rate(rate.sentences_per_s)) for rate in results.threads
    ]
    rows += [(f"{rate.setting} tokens a batch", _rate(rate.sentences_per_s)) for rate in results.budgets]
    return Table(f"Settings, {results.chosen}", ("setting", "sentences/s"), tuple(rows))


def _rate(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
