import time

import pytest

from service.access import limits as limits_module
from service.access.limits import Limits
from service.errors import RateLimited


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the limits see, to be moved on."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def told(limits: Limits, who: str = "a") -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in limits.headers(who)}


@pytest.mark.parametrize("rate", [1, 3, 7, 60, 600])
def test_a_rate_holds_exactly(clock: list[float], rate: int) -> None:
    limits = Limits(rate, 0)
    for n in range(rate):
        limits.begin("a")
        assert told(limits)["ratelimit-remaining"] == str(rate - n - 1)
    with pytest.raises(RateLimited) as caught:
        limits.begin("a")
    assert caught.value.headers() == {"retry-after": str(max(1, -(-60 // rate)))}
    limits.begin("b")


def test_what_was_asked_comes_back_evenly(clock: list[float]) -> None:
    limits = Limits(60, 0)
    for _ in range(60):
        limits.begin("a")
    assert told(limits)["ratelimit-reset"] == "60"
    clock[0] += 0.5
    with pytest.raises(RateLimited):
        limits.begin("a")
    clock[0] += 0.5
    limits.begin("a")
    with pytest.raises(RateLimited):
        limits.begin("a")
    clock[0] += 10
    assert told(limits)["ratelimit-remaining"] == "10"
    clock[0] += 3600
    assert (told(limits)["ratelimit-remaining"], told(limits)["ratelimit-reset"]) == ("60", "0")


def test_the_headers_have_both_names(clock: list[float]) -> None:
    limits = Limits(30, 0)
    limits.begin("a")
    assert told(limits) == {
        "ratelimit-limit": "30",
        "ratelimit-remaining": "29",
        "ratelimit-reset": "2",
        "ratelimit-policy": '"requests";q=30;w=60',
        "ratelimit": '"requests";r=29;t=2',
    }
    assert told(limits, "nobody")["ratelimit-remaining"] == "30"
    assert Limits(0, 5).headers("a") == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_requests_at_a_time_hold_exactly(most: int) -> None:
    limits = Limits(0, most)
    for _ in range(most):
        limits.begin("a")
    with pytest.raises(RateLimited, match=f"{most} requests of yours running") as caught:
        limits.begin("a")
    assert caught.value.retry_after == 1
    limits.begin("b")
    limits.end("a")
    limits.begin("a")
    with pytest.raises(RateLimited):
        limits.begin("a")


def test_a_request_that_is_refused_does_not_count(clock: list[float]) -> None:
    limits = Limits(2, 1)
    limits.begin("a")
    for _ in range(5):
        with pytest.raises(RateLimited, match="running"):
            limits.begin("a")
    limits.end("a")
    limits.begin("a")


def test_callers_who_were_not_seen_for_longest_are_forgotten(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "MOST_CALLERS", 2)
    limits = Limits(2, 0)
    for who in ("a", "b", "a", "c"):
        limits.begin(who)
    assert told(limits, "a")["ratelimit-remaining"] == "0"
    assert told(limits, "b")["ratelimit-remaining"] == "2"
    limits.end("b")
    limits.end("nobody")
