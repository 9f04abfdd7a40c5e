from dataclasses import dataclass

from service.engine.waiting import LATE_AFTER_S, Job, Waiting


@dataclass(eq=False)
class Caller:
    """A request as `Waiting` sees it."""

    submitted: float = 0.0
    settled: bool = False


Jobs = list[Job[str, Caller]]


def words(batch: Jobs) -> list[str]:
    return [job.item for job in batch]


def waiting() -> Waiting[str, Caller]:
    return Waiting(len)


def test_small_requests_go_before_a_large_one_that_came_first() -> None:
    queue, large, small = waiting(), Caller(), Caller()
    queue.put(large, ["aaa", "bbb", "ccc"])
    queue.put(small, ["d"])
    assert words(queue.take(4, now=0.0)) == ["d", "aaa"]
    assert words(queue.take(4, now=0.0)) == ["bbb"]


def test_a_late_request_gets_half_of_each_batch_and_no_more() -> None:
    queue, late = waiting(), Caller(submitted=0.0)
    queue.put(late, [f"late{i}" for i in range(10)])  # of size 5
    now = LATE_AFTER_S + 0.01
    for i in range(10):
        queue.put(Caller(submitted=now), [f"new{i}_"])  # of size 5
    batch = words(queue.take(20, now=now))
    assert sorted(word[:3] for word in batch) == ["lat", "lat", "new", "new"]


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


def test_what_only_cancelled_requests_waited_for_is_forgotten() -> None:
    queue, gone, stays = waiting(), Caller(), Caller()
    queue.put(gone, ["a", "b"])
    queue.put(stays, ["b"])
    gone.settled = True
    batch = queue.take(10, now=0.0)
    assert words(batch) == ["b"]
    queue.finish(batch)
    assert len(queue) == 0
