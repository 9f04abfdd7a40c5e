"""Times as text and as numbers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.filters.times import seconds, written

NOON = 1769860800.0


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00.000Z",
        "2026-01-31T12:00",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31T13:00:00 +0100",
        "2026-01-31T11:00:00.0-01:00",
        "2026-01-31T12:00:00.000000001Z",
    ],
)
def test_every_way_to_write_a_time_is_the_same_moment(text: str) -> None:
    assert seconds(text) == NOON


def test_a_date_is_its_midnight() -> None:
    assert seconds("2026-01-31") == NOON - 12 * 3600
    assert seconds("1970-01-01") == 0


def test_fractions_count() -> None:
    assert seconds("2026-01-31T12:00:00.5Z") == NOON + 0.5
    assert seconds("1969-12-31T23:59:58.5Z") == -1.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red",
        "2026",
        "20260131",
        "2026-W05-6",
        "2026-02-30",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00Z and more",
        "2026-01-31T12",
        "٢٠٢٦-٠١-٣١",
        "0001-01-01T00:00:00+01:00",
        "2026-01-31T12:00:00." + "0" * 100,
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds(text) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_time_is_the_same_number(moment: datetime) -> None:
    number = seconds(moment.isoformat())
    assert number is not None
    assert abs(number - moment.timestamp()) < 1e-4
    assert seconds(written(number)) == number
