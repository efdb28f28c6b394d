"""Epoch seconds and dates."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.dates import moment_of, time_or, to_date, to_seconds


@given(st.integers(-30_610_224_000, 253_402_300_799))
def test_seconds_read_back_from_their_date(seconds: int) -> None:
    """Any time of a bar survives as a date, before 1970 too."""
    assert seconds == to_seconds(to_date(seconds))


def test_dates_are_aware_and_in_utc() -> None:
    """The date of an epoch second equals that of a calendar."""
    assert datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC) == to_date(-1)


def test_no_time_is_no_date() -> None:
    """None stays None in both directions."""
    assert (None, None) == (to_date(None), to_seconds(None))


def test_milliseconds_are_kept() -> None:
    """The date of an epoch millisecond has its milliseconds, before 1970 too."""
    assert datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) == moment_of(-1)


def test_a_time_that_is_not_known_is_another_one() -> None:
    """The epoch itself is a known time."""
    assert (0, 7) == (time_or(0, 7), time_or(None, 7))
