"""When bars are over by a listing's trading hours."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pocketquant.domain.intervals import Interval
from pocketquant.domain.trading_hours import TradingHours

NEW_YORK = "America/New_York"


def at(text: str, zone: str = NEW_YORK) -> int:
    """The epoch second of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("session", "interval", "opened", "end"),
    [
        ("0930-1600", "1d", "2026-11-25T09:30", "2026-11-25T16:00"),
        ("0930-1600", "1d", "2026-11-24T19:00", "2026-11-25T16:00"),  # midnight in UTC
        ("0930-1600", "1w", "2026-11-23T09:30", "2026-11-27T16:00"),
        ("0930-1600", "1M", "2026-11-02T09:30", "2026-11-30T16:00"),
        ("0930-1600", "1M", "2026-02-02T09:30", "2026-02-27T16:00"),
        ("0930-1600", "1d", "2026-11-28T09:30", "2026-11-28T16:00"),  # a special Saturday
        ("0930-1600", "1h", "2026-11-25T14:30", "2026-11-25T15:30"),
        ("0930-1600", "1h", "2026-11-25T15:30", "2026-11-25T16:00"),
        ("0930-1600", "1h", "2026-11-25T16:00", "2026-11-25T17:00"),
        ("1800-1700", "1d", "2026-10-31T18:00", "2026-11-01T17:00"),  # an hour longer
        ("1700-1700", "1w", "2026-11-22T17:00", "2026-11-27T17:00"),
        ("1900-1900:3456|1700F-1900:2", "1d", "2026-11-22T17:00", "2026-11-22T19:00"),
        ("1000-1500:12345", "1w", "2026-11-22T10:00", "2026-11-26T15:00"),
        ("2100-0230,0900-1130,1330-1500", "1d", "2026-11-24T21:00", "2026-11-25T15:00"),
        ("0930-1200A0900E0920-1206U1300-1600", "1d", "2026-11-25T09:30", "2026-11-25T16:00"),
        ("0915-1530#20260803/0915-1515", "1d", "2026-11-25T09:15", "2026-11-25T15:30"),
        ("0900-2400", "1M", "2026-11-02T09:00", "2026-12-01T00:00"),
        ("24x7", "1d", "2026-11-25T00:00", "2026-11-26T00:00"),
        ("24x7", "1d", "2026-11-25T10:00", "2026-11-26T10:00"),
        ("24x7", "1w", "2026-11-23T00:00", "2026-11-30T00:00"),
        ("24x7", "1M", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("24x7", "4h", "2026-02-01T00:00", "2026-02-01T04:00"),
    ],
)
def test_a_bar_ends_with_the_last_session_of_its_period(
    session: str, interval: str, opened: str, end: str
) -> None:
    """An intraday bar ends after its length, or with the trading day."""
    hours = TradingHours.parse(NEW_YORK, session)
    assert hours is not None
    assert at(end) == hours.end(Interval(interval), at(opened))


@pytest.mark.parametrize(
    ("timezone", "session"),
    [("", "0930-1600"), ("Nowhere", "0930-1600"), ("../etc", "24x7"), (NEW_YORK, "")],
)
def test_hours_that_are_not_understood_are_none(timezone: str, session: str) -> None:
    """The registry has an empty text for a listing that was never synced."""
    assert TradingHours.parse(timezone, session) is None
