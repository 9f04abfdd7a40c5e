import pytest

from service.engine.admission import Admission
from service.errors import Overloaded


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_or_nothing_at_the_limit() -> None:
    admission = Admission(4)
    with admission.admit(3):
        with admission.admit(1):
            assert admission.pending == 4
        with pytest.raises(Overloaded), admission.admit(2):
            pass
        assert admission.pending == 3
    assert admission.pending == 0


def test_permits_come_back_after_an_error() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError), admission.admit(1):
        raise ZeroDivisionError
    assert admission.pending == 0


def test_retry_after_comes_from_the_measured_rate() -> None:
    clock = Clock()
    admission = Admission(100, clock)
    with admission.admit(20):
        clock.now += 2  # ten items per second
    clock.now += 1000  # idle time does not count
    with admission.admit(100), pytest.raises(Overloaded) as refused, admission.admit(45):
        pass
    assert refused.value.retry_after == 5
    assert refused.value.headers() == {"retry-after": "5"}


def test_retry_after_is_at_least_one_second_and_bounded() -> None:
    clock = Clock()
    admission = Admission(10, clock)
    with admission.admit(10), pytest.raises(Overloaded) as first, admission.admit(1):
        pass
    assert first.value.retry_after == 1
    with admission.admit(1):
        clock.now += 10_000
    with admission.admit(10), pytest.raises(Overloaded) as slow, admission.admit(10):
        pass
    assert slow.value.retry_after == 60


def test_old_measurements_fade() -> None:
    clock = Clock()
    admission = Admission(1000, clock)
    with admission.admit(10):
        clock.now += 10
    for _ in range(20):
        with admission.admit(1000):
            clock.now += 1
    with admission.admit(1000), pytest.raises(Overloaded) as refused, admission.admit(1000):
        pass
    assert refused.value.retry_after <= 2
