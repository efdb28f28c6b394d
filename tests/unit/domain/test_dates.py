"""Epoch seconds and dates."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.dates import to_date, to_seconds


@given(st.integers(-30_610_224_000, 253_402_300_799))
def test_seconds_read_back_from_their_date(seconds: int) -> None:
    """Any time a bar may have survives as a date, before 1970 too."""
    assert seconds == to_seconds(to_date(seconds))


def test_dates_are_aware_and_in_utc() -> None:
    """The date of an epoch second is the one a calendar gives."""
    assert datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC) == to_date(-1)


def test_no_time_is_no_date() -> None:
    """None stays None both ways."""
    assert (None, None) == (to_date(None), to_seconds(None))
