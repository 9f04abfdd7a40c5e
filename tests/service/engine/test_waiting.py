from dataclasses import dataclass

from service.engine.waiting import LATE_AFTER_S, LATE_SHARE, SHORT, SMALL_FOR_S, Job, Waiting


@dataclass(eq=False)
class Caller:
    """A request as `Waiting` sees it."""

    submitted: float = 0.0
    settled: bool = False


Jobs = list[Job[str, Caller]]


def words(batch: Jobs) -> list[str]:
    return [job.item for job in batch]


def waiting(lanes: int = 1) -> Waiting[str, Caller]:
    return Waiting(len, lanes)


def test_small_requests_go_before_a_large_one_that_came_first() -> None:
    queue, large, small = waiting(), Caller(), Caller()
    queue.put(large, ["aaa", "bbb", "ccc"])
    queue.put(small, ["d"])
    assert words(queue.take(4, now=0.0)) == ["d"]
    assert words(queue.take(4, now=0.0)) == ["aaa"]


def test_beside_a_small_request_the_other_lanes_compute_for_a_large_one() -> None:
    queue = waiting(lanes=3)
    queue.put(Caller(), [f"large{i}" for i in range(9)])  # of size 6
    queue.put(Caller(), ["small.."])
    assert words(queue.take(40, now=0.0)) == ["small..", "large0", "large1"]
    assert len(queue.take(40, now=0.0)) == 6


def test_small_requests_fill_a_batch_as_far_as_they_fit() -> None:
    queue = waiting(lanes=2)
    for word in ("aa", "bb", "cc", "dd"):
        queue.put(Caller(), [word])
    assert words(queue.take(6, now=0.0)) == ["aa", "bb", "cc"]
    assert words(queue.take(6, now=0.0)) == ["dd"]


def test_batches_of_large_requests_are_short_while_small_ones_come() -> None:
    queue = waiting(lanes=2)
    queue.put(Caller(), [f"{i:032}" for i in range(90)])
    assert len(queue.take(320, now=0.0)) == 10
    queue.put(Caller(), ["small"])
    assert words(queue.take(320, now=1.0)) == ["small"]
    for now in (1.0, 1.0 + SMALL_FOR_S - 0.1):
        assert len(queue.take(320, now)) == 2 * SHORT // 32
    assert len(queue.take(320, now=1.0 + SMALL_FOR_S)) == 10


def test_over_time_a_part_of_what_is_computed_is_that_of_late_requests() -> None:
    queue, now = waiting(), LATE_AFTER_S + 0.01
    queue.put(Caller(submitted=0.0), [f"late{i:03}" for i in range(100)])
    batches: list[list[str]] = []
    for turn in range(12):
        for i in range(8):
            queue.put(Caller(submitted=now), [f"new{turn:02}.{i}"])
        batches.append(words(queue.take(56, now)))  # eight items fit
    assert {len(batch) for batch in batches} == {8}
    late = [sum(word.startswith("late") for word in batch) for batch in batches]
    assert late == [0] + [8 // LATE_SHARE] * 11


def test_a_late_request_that_had_its_part_leaves_the_next_batch_to_a_small_one() -> None:
    queue, now = waiting(), LATE_AFTER_S + 0.01
    queue.put(Caller(submitted=0.0), [f"late{i:03}" for i in range(100)])
    assert len(queue.take(56, now)) == 8
    queue.put(Caller(submitted=now), ["small"])
    assert words(queue.take(56, now)) == ["small"]


def test_a_request_that_does_not_fit_beside_the_part_of_late_ones_is_not_starved() -> None:
    queue, now = waiting(), LATE_AFTER_S + 0.01
    queue.put(Caller(submitted=0.0), [f"late{i:03}" for i in range(100)])
    for turn in range(3):
        queue.put(Caller(submitted=now), [f"as large as the budget{turn}"])
        assert f"as large as the budget{turn}" in words(queue.take(23, now))


def test_each_lane_has_an_item_though_they_are_larger_than_the_budget() -> None:
    queue = waiting(lanes=2)
    queue.put(Caller(), ["much too large", "also too large", "like these two"])
    assert len(queue.take(5, now=0.0)) == 2
    assert len(queue.take(5, now=0.0)) == 1


def test_it_says_whether_a_batch_could_finish_a_request() -> None:
    queue = waiting()
    assert queue.only_large(4)
    queue.put(Caller(), ["aaa", "bbb"])
    assert queue.only_large(4)
    queue.put(Caller(), ["a"])
    assert not queue.only_large(4)


def test_without_small_ones_a_large_request_fills_the_batch() -> None:
    queue = waiting()
    queue.put(Caller(), ["aaa", "bbb", "ccc"])
    assert words(queue.take(9, now=0.0)) == ["aaa", "bbb", "ccc"]
    assert words(queue.take(9, now=0.0)) == []


def test_an_item_larger_than_the_budget_goes_alone() -> None:
    queue = waiting()
    queue.put(Caller(), ["much too large"])
    queue.put(Caller(), ["also too large"])
    assert len(queue.take(5, now=0.0)) == 1
    assert len(queue.take(5, now=0.0)) == 1


def test_equal_items_are_one_job_with_every_taker() -> None:
    queue, first, second = waiting(), Caller(), Caller()
    queue.put(first, ["a", "b", "a"])
    queue.put(second, ["a"])
    batch = queue.take(10, now=0.0)
    takers = {job.item: job.takers for job in batch}
    assert takers["a"] == [(first, 0), (first, 2), (second, 0)]
    assert takers["b"] == [(first, 1)]
    assert len(batch) == 2


def test_an_item_that_is_being_run_is_joined_until_it_is_finished() -> None:
    queue, first, second, third = waiting(), Caller(), Caller(), Caller()
    queue.put(first, ["a"])
    batch = queue.take(10, now=0.0)
    queue.put(second, ["a"])
    assert queue.take(10, now=0.0) == []
    queue.finish(batch)
    queue.put(third, ["a"])
    assert [request for request, _ in batch[0].takers] == [first, second]
    assert words(queue.take(10, now=0.0)) == ["a"]


def test_a_small_request_does_not_wait_for_the_large_one_that_asked_for_the_same_first() -> None:
    queue, large, small = waiting(), Caller(), Caller()
    queue.put(large, ["aaaa", "bbbb", "cccc"])
    queue.put(small, ["cccc"])
    assert words(queue.take(4, now=0.0)) == ["cccc"]
    assert words(queue.take(8, now=0.0)) == ["aaaa", "bbbb"]


def test_a_request_whose_items_were_all_run_for_another_holds_nobody_up() -> None:
    queue = waiting()
    queue.put(Caller(), ["a"])
    queue.put(Caller(), ["a"])
    queue.finish(queue.take(1, now=0.0))
    queue.put(Caller(), ["large", "larger"])
    assert words(queue.take(5, now=0.0)) == ["large"]


def test_what_only_cancelled_requests_waited_for_is_forgotten() -> None:
    queue, gone, stays = waiting(), Caller(), Caller()
    queue.put(gone, ["a", "b"])
    queue.put(stays, ["b"])
    gone.settled = True
    batch = queue.take(10, now=0.0)
    assert words(batch) == ["b"]
    queue.finish(batch)
    assert len(queue) == 0


def test_the_end_of_a_large_request_is_no_small_one() -> None:
    queue = waiting()
    queue.put(Caller(), [f"first{n:04}" for n in range(25)])
    queue.put(Caller(), [f"other{n:04}" for n in range(25)])
    sizes = [sum(map(len, words(queue.take(200, now=0.0)))) for _ in range(2)]
    assert sizes == [198, 198]
