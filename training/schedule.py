"""Which kind of batch comes at which step, and the learning rate there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from training.config import ScheduleConfig
from training.errors import ConfigError

BatchKind = Literal["text", "pair"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of batches of a run. Batches are never mixed inside: each is all text or all captions.

    As in the original's mixed training: with T text batches and P caption batches an epoch has T + P steps, and every
    (T // P)-th of them, counted from 0 in each epoch, is a caption batch.
    """

    text_batches: int
    pair_batches: int
    pair_every: int
    """0 where there are no caption batches."""
    steps_per_epoch: int
    total_steps: int

    @classmethod
    def plan(cls, config: ScheduleConfig, *, text_batches: int, pair_batches: int) -> "Schedule":
        """Lay out a run.

        Raises:
            ConfigError: there are fewer text batches than caption batches, so that no spacing exists.
        """
        steps_per_epoch = text_batches + pair_batches
        return cls(
            text_batches=text_batches,
            pair_batches=pair_batches,
            pair_every=_spacing(config.pair_every, text_batches, pair_batches),
            steps_per_epoch=steps_per_epoch,
            total_steps=min(config.epochs * steps_per_epoch, config.max_steps or config.epochs * steps_per_epoch),
        )

    def kind(self, step: int) -> BatchKind:
        """What is seen at a step, counted from 0."""
        if self.pair_every == 0:
            return "text"
        return "pair" if (step % self.steps_per_epoch) % self.pair_every == 0 else "text"

    def steps(self) -> Iterator[tuple[int, BatchKind, int]]:
        """Every step as (step, kind, number of earlier batches of that kind)."""
        seen: dict[BatchKind, int] = {"text": 0, "pair": 0}
        for step in range(self.total_steps):
            kind = self.kind(step)
            yield step, kind, seen[kind]
            seen[kind] += 1


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
