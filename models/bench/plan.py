"""What is measured, and for how long: everything follows from the seconds that the user gives."""

from dataclasses import dataclass

SEED = 1
BATCHES = (1, 8, 32, 128)
LENGTHS = (8, 32, 128, 512)
BUDGETS = (256, 512, 1024, 2048, 4096)
LOADS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Arrivals, as a share of the sentences a second that were measured before."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and seconds of each part."""

    sentences: int
    """In the stream that throughput is measured on."""
    peak_s: float
    """A precision."""
    path_s: float
    """A precision, or a number of threads."""
    cell_s: float
    """A batch size at a length."""
    budget_s: float
    load_s: float
    """An arrival rate."""

    @classmethod
    def of(cls, seconds: float) -> "Plan":
        """Divide the time; what must happen at least twice may take longer on a slow machine."""
        return cls(
            sentences=256 if seconds >= 30 else 64,
            peak_s=0.02 * seconds,
            path_s=0.03 * seconds,
            cell_s=0.006 * seconds,
            budget_s=0.02 * seconds,
            load_s=0.06 * seconds,
        )
