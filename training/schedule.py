"""Which kind of batch comes at which step, and the learning rate there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from training.config import ScheduleConfig
from training.errors import ConfigError

BatchKind = Literal["text", "pair"]


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch of the run."""

    number: int
    """From 0, over both kinds"""
    kind: BatchKind
    index: int
    """Number of earlier batches of its kind"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of batches of a run. Batches are never mixed inside: each is all text or all captions.

    As in the original's mixed training: with T text batches and P caption batches an epoch has T + P steps, and every
    (T // P)-th of them, counted from 0 in each epoch, is a caption batch. An optimizer step takes `accumulate` batches.
    """

    text_batches: int
    pair_batches: int
    pair_every: int
    """0 where there are no caption batches."""
    batches_per_epoch: int
    total_batches: int
    accumulate: int

    @classmethod
    def plan(cls, config: ScheduleConfig, *, text_batches: int, pair_batches: int) -> "Schedule":
        """Lay out a run.

        Raises:
            ConfigError: there are fewer text batches than caption batches, so that no spacing exists.
        """
        per_epoch = text_batches + pair_batches
        planned = config.epochs * per_epoch
        most = planned if config.max_steps is None else config.max_steps * config.accumulate
        return cls(
            text_batches=text_batches,
            pair_batches=pair_batches,
            pair_every=_spacing(config.pair_every, text_batches, pair_batches),
            batches_per_epoch=per_epoch,
            total_batches=min(planned, most),
            accumulate=config.accumulate,
        )

    @property
    def total_steps(self) -> int:
        """Optimizer steps; the last may have fewer batches."""
        return -(-self.total_batches // self.accumulate)

    def kind(self, number: int) -> BatchKind:
        """Of the batch with this number, counted from 0."""
        if self.pair_every == 0:
            return "text"
        return "pair" if (number % self.batches_per_epoch) % self.pair_every == 0 else "text"

    def steps(self) -> Iterator[list[PlannedBatch]]:
        """The batches of every optimizer step."""
        seen: dict[BatchKind, int] = {"text": 0, "pair": 0}
        step: list[PlannedBatch] = []
        for number in range(self.total_batches):
            kind = self.kind(number)
            step.append(PlannedBatch(number, kind, seen[kind]))
            seen[kind] += 1
            if len(step) == self.accumulate or number == self.total_batches - 1:
                yield step
                step = []


def _spacing(asked: int | None, text_batches: int, pair_batches: int) -> int:
    if pair_batches == 0:
        return 0
    if text_batches == 0:
        return 1
    if asked is not None:
        return asked
    if text_batches < pair_batches:
        raise ConfigError(
            f"there are {text_batches} text batches for {pair_batches} caption batches, so captions cannot be spread "
            "over text. Give more text, or set schedule.pair_every"
        )
    return text_batches // pair_batches


def linear_decay(step: int, *, warmup: int, total: int) -> float:
    """Factor on the peak learning rate: up from 0 during `warmup` steps, then straight down to 0 at `total`."""
    if step < warmup:
        return step / warmup
    return max(0.0, (total - step) / max(1, total - warmup))
