"""Ways that take turns: ratios of what was measured side by side, with their spread, and tables of them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console

from models.bench.tables import Table

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several values: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Their spread.

        Raises:
            ValueError: there are none.
        """
        if not values:
            raise ValueError("a spread needs at least one value")
        return cls(statistics.median(values), min(values), max(values))

    def told(self, digits: int = 2) -> str:
        """`4.12 (3.98 to 4.31)`."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def paired(values: Sequence[float], base: Sequence[float]) -> Spread:
    """Ratios of values to those of the base in the same round: what drifts with the machine falls out.

    Raises:
        ValueError: the rounds are not the same, or there are none.
    """
    return Spread.of([value / other for value, other in zip(values, base, strict=True)])


def turns(names: Sequence[Name], rounds: int) -> Iterable[list[Name]]:
    """The order of each round: who began comes last in the next, so that nobody is always after the same one."""
    for number in range(rounds):
        at = number % len(names)
        yield [*names[at:], *names[:at]]


def markdown(table: Table) -> str:
    """A table for a page of the documentation."""
    lines = [table.header, ("---", *("---:" for _ in table.header[1:])), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(tables: Sequence[Table], notes: Mapping[str, str], *, as_markdown: bool) -> None:
    """Print tables and what has to be known about them."""
    console = Console(width=160)
    for table in tables:
        if as_markdown:
            console.print(f"\n{table.title}\n\n{markdown(table)}", markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(table.rich())
    for name, note in notes.items():
        console.print(f"{name}: {note}", markup=False, highlight=False, soft_wrap=True)
