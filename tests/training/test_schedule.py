import pytest

from training.config import ScheduleConfig
from training.errors import ConfigError
from training.schedule import PlannedBatch, Schedule, linear_decay


def plan(text: int, pairs: int, **settings: int) -> Schedule:
    return Schedule.plan(ScheduleConfig(**{"epochs": 1, **settings}), text_batches=text, pair_batches=pairs)


def batches(schedule: Schedule) -> list[PlannedBatch]:
    return [batch for step in schedule.steps() for batch in step]


@pytest.mark.parametrize(
    ("text", "pairs", "every", "per_epoch", "paired"),
    [(15_625, 466, 33, 16_091, 488), (15_625, 1_294, 12, 16_919, 1_410), (7_813, 233, 33, 8_046, 244)],
    ids=["wiki+flickr, 64", "wiki+coco, 64", "wiki+flickr, 128"],
)
def test_the_published_mixtures_come_out(text: int, pairs: int, every: int, per_epoch: int, paired: int) -> None:
    schedule = plan(text, pairs)
    assert (schedule.pair_every, schedule.batches_per_epoch) == (every, per_epoch)
    assert sum(batch.kind == "pair" for batch in batches(schedule)) == paired


def test_each_epoch_begins_with_a_caption_batch() -> None:
    schedule = plan(5, 2, epochs=3)
    kinds = [batch.kind for batch in batches(schedule)]
    assert kinds == (["pair", "text"] * 4)[:7] * 3


def test_batches_of_a_kind_are_numbered_through() -> None:
    planned = batches(plan(5, 2, epochs=2))
    assert [batch.number for batch in planned] == list(range(14))
    for wanted in ("text", "pair"):
        numbers = [batch.index for batch in planned if batch.kind == wanted]
        assert numbers == list(range(len(numbers)))


def test_one_kind_alone_fills_every_step() -> None:
    assert {batch.kind for batch in batches(plan(4, 0))} == {"text"}
    assert {batch.kind for batch in batches(plan(0, 4))} == {"pair"}


def test_more_captions_than_text_needs_a_spacing_and_is_refused_without_one() -> None:
    """Pitfall 7: the original divides by zero here."""
    with pytest.raises(ConfigError, match=r"2 text batches for 5 caption batches.*pair_every"):
        plan(2, 5)
    assert [batch.kind for batch in batches(plan(2, 5, pair_every=3))][:4] == ["pair", "text", "text", "pair"]


def test_max_steps_ends_a_run_early_and_never_lengthens_it() -> None:
    assert plan(10, 2, max_steps=7).total_steps == 7
    assert plan(10, 2, max_steps=700).total_steps == 12


def test_accumulated_batches_make_one_step_and_none_is_lost() -> None:
    schedule = plan(5, 2, accumulate=3)
    steps = list(schedule.steps())
    assert [len(step) for step in steps] == [3, 3, 1]
    assert schedule.total_steps == len(steps)
    assert batches(schedule) == batches(plan(5, 2))
    assert plan(10, 2, accumulate=3, max_steps=2).total_batches == 6


def test_the_rate_rises_through_the_warm_up_and_falls_straight_to_0() -> None:
    rates = [linear_decay(step, warmup=2, total=6) for step in range(7)]
    assert rates == [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    assert linear_decay(0, warmup=0, total=4) == 1.0
