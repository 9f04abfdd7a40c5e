from collections.abc import Sequence

import pytest

from models.bench.load import Clock, due_times, latencies, measure_load


class Server:
    """Takes a fixed time for each call, on a clock of its own."""

    def __init__(self, seconds: float, *, wakes_early: float = 0.0) -> None:
        self.time = 0.0
        self.seconds = seconds
        self.served: list[list[str]] = []
        self._early = wakes_early

    def __call__(self, texts: Sequence[str]) -> None:
        self.served.append(list(texts))
        self.time += self.seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.time += seconds - self._early


def test_a_sentence_that_waits_for_the_one_before_counts_its_wait() -> None:
    server = Server(1.0)
    waited = latencies(server, ["a", "b", "c"], [0.0, 0.25, 5.0], 1, server.clock)
    assert waited == pytest.approx([1.0, 1.75, 1.0])


def test_what_is_due_goes_together_the_oldest_first_and_not_more_than_allowed() -> None:
    server = Server(1.0)
    latencies(server, ["a", "b", "c", "d", "e"], [0.0, 0.1, 0.2, 0.3, 1.5], 2, server.clock)
    assert server.served == [["a"], ["b", "c"], ["d", "e"]]


def test_a_stall_shows_in_every_sentence_that_was_due_meanwhile() -> None:
    server = Server(10.0)
    due = [0.1 * number for number in range(50)]
    waited = latencies(server, ["a"], due, 100, server.clock)
    assert waited[0] == pytest.approx(10.0)
    assert min(waited[1:]) > 14.9  # due while the first was served: the rest of its time, and their own
    assert max(waited[1:]) == pytest.approx(19.9)


def test_an_alarm_that_rings_too_soon_does_not_stop_it() -> None:
    server = Server(0.01, wakes_early=0.001)
    assert len(latencies(server, ["a"], [0.5, 1.0], 4, server.clock)) == 2


def test_arrivals_come_at_the_asked_rate_and_are_the_same_for_a_seed() -> None:
    moments = due_times(200.0, 10.0, seed=3)
    assert moments == due_times(200.0, 10.0, seed=3) != due_times(200.0, 10.0, seed=4)
    assert 1800 < len(moments) < 2200
    assert moments == sorted(moments)
    assert len(due_times(0.001, 0.5, seed=1)) == 1


def test_the_offered_rate_is_the_share_of_the_capacity() -> None:
    load = measure_load(len, ["a"], share=0.5, capacity=400.0, seconds=0.25, most=8, seed=1)
    assert 100 < load.offered_per_s < 300
    assert load.offered_per_s == load.sentences / 0.25 >= load.served_per_s
    assert 0 <= load.p50_ms <= load.p95_ms <= load.p99_ms < 1000
