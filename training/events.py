"""TensorBoard events of a run, beside `metrics.jsonl` and of the same numbers; only where they are asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_NO_CURVE = ("step", "kind", "seconds")


class Events:
    """Writes records of `metrics.jsonl` as scalars: `text/loss`, `pair/grounding`, `dev/dev` and so on.

    Args:
        path: the directory of events; None writes nothing, and TensorBoard is not imported.
        done: steps that were taken before. What an earlier sitting logged after them is hidden: those steps are
            taken again.
    """

    def __init__(self, path: Path | None, done: int = 0) -> None:
        self._writer = _writer(path, purge_step=done + 1) if path is not None else None

    def log(self, record: Mapping[str, Any]) -> None:
        """Add one record; every number in it but step and time becomes a point of a curve."""
        if self._writer is None:
            return
        group = record.get("kind", "dev")
        for name, value in record.items():
            if name not in _NO_CURVE and isinstance(value, int | float):
                self._writer.add_scalar(f"{group}/{name}", value, record["step"])
        if group == "dev":  # the state of the run is saved next, and nothing before it will be logged again
            self._writer.flush()

    def close(self) -> None:
        """Write out what is buffered."""
        if self._writer is not None:
            self._writer.close()


def _writer(path: Path, *, purge_step: int) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(path), purge_step=purge_step)
