import pytest

from models.bench.timing import percentile, repeat


class FakeClock:
    """Each call of `work` takes the next of some durations."""

    def __init__(self, *durations: float) -> None:
        self.now = 0.0
        self.calls = 0
        self._durations = durations

    def work(self) -> None:
        self.now += self._durations[min(self.calls, len(self._durations) - 1)]
        self.calls += 1

    def __call__(self) -> float:
        return self.now


def test_the_first_time_warms_up_and_does_not_count() -> None:
    clock = FakeClock(5.0, 1.0, 2.0, 3.0)
    timed = repeat(clock.work, 10.0, clock)
    assert timed.seconds == (1.0, 2.0, 3.0)
    assert (timed.best, timed.middle) == (1.0, 2.0)


def test_work_that_takes_all_the_time_is_done_once() -> None:
    clock = FakeClock(7.0)
    assert repeat(clock.work, 5.0, clock).seconds == (7.0,)
    assert clock.calls == 1


def test_at_least_one_counts_after_the_warm_up() -> None:
    clock = FakeClock(4.9, 6.0)
    assert repeat(clock.work, 5.0, clock).seconds == (6.0,)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_value_of_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile([*range(100, 0, -1)], share) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="above 0"):
        percentile([1.0], 0.0)
