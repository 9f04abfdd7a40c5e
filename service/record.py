"""What is known of one request: filled while it runs, read once at its end for headers, log line and metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import Scope

from service.engine.engine import Counts

RECORD_KEY = "mcse.record"


@dataclass(slots=True)
class Record:
    """Counts and times of one request; never its text."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    items: int = 0
    tokens: int = 0
    characters: int = 0
    truncated: int = 0
    changed: int | None = None
    """Points that were written, changed or deleted; None for what is no change of points, or did not come to one."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Stage -> seconds; the stages are those of `telemetry.metrics.STAGES`."""

    def add(self, counts: Counts) -> None:
        """Count what one answer of the engine took."""
        self.items += len(counts.tokens)
        self.tokens += sum(counts.tokens)
        self.characters += counts.characters
        self.truncated += sum(1 for dropped in counts.dropped if dropped)
        self._add_time("tokenize", counts.timings.tokenize)
        self._add_time("queue", counts.timings.queue)
        self._add_time("encode", counts.timings.encode)

    def change(self, points: int) -> None:
        """Count a change that is on disk."""
        self.changed = (self.changed or 0) + points

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._add_time(name, time.monotonic() - started)

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return time.monotonic() - self.started

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response headers that report counts and milliseconds; the names are Text Embeddings Inference's."""
        return [
            (b"x-request-id", self.request_id.encode()),
            (b"x-compute-tokens", b"%d" % self.tokens),
            (b"x-compute-characters", b"%d" % self.characters),
            (b"x-truncated", b"%d" % self.truncated),
            (b"x-total-time", _milliseconds(self.elapsed())),
            (b"x-tokenization-time", _milliseconds(self.seconds.get("tokenize", 0.0))),
            (b"x-queue-time", _milliseconds(self.seconds.get("queue", 0.0))),
            (b"x-inference-time", _milliseconds(self.seconds.get("encode", 0.0))),
        ]

    def _add_time(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def _milliseconds(seconds: float) -> bytes:
    return b"%.2f" % (seconds * 1000)


def record_of(scope: Scope) -> Record:
    """The record that the middleware made for this request."""
    record: Record = scope[RECORD_KEY]
    return record
