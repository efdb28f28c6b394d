"""Exchanges trade in sessions."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from pocketquant.simulator.market.calendars import (
    Calendar,
    is_open,
    is_timezone,
    sessions,
    utc_offset_seconds,
)
from pocketquant.simulator.market.world import ALWAYS, CURRENCIES, FUTURES, MUMBAI, NEW_YORK


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("calendar", "opens", "closes"),
    [
        (NEW_YORK, "2025-11-18T14:30", "2025-11-18T21:00"),
        (NEW_YORK, "2025-06-18T13:30", "2025-06-18T20:00"),
        (MUMBAI, "2025-11-18T03:45", "2025-11-18T10:00"),
        (CURRENCIES, "2025-11-16T22:00", "2025-11-17T22:00"),
        (CURRENCIES, "2025-06-15T21:00", "2025-06-16T21:00"),
        (FUTURES, "2025-11-16T23:00", "2025-11-17T22:00"),
        (ALWAYS, "2025-11-16T00:00", "2025-11-17T00:00"),
    ],
)
def test_a_session_opens_by_the_local_clock(calendar: Calendar, opens: str, closes: str) -> None:
    """Opening times follow local summer time; a session past midnight opens the evening before."""
    known = sessions(calendar)
    index = known.begun_by(at(opens)) - 1
    assert (at(opens), at(closes)) == (known.opens[index], known.closes[index])


def test_sessions_never_overlap() -> None:
    """Each session opens at or after the close of the one before."""
    for calendar in (NEW_YORK, MUMBAI, CURRENCIES, FUTURES, ALWAYS):
        known = sessions(calendar)
        assert np.all(known.opens[1:] >= known.closes[:-1])


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        (NEW_YORK, date(2025, 11, 18), True),
        (NEW_YORK, date(2025, 11, 15), False),
        (NEW_YORK, date(2025, 12, 25), False),
        (ALWAYS, date(2025, 12, 25), True),
    ],
)
def test_weekends_and_holidays_are_no_trading_dates(
    calendar: Calendar, day: date, expected: bool
) -> None:
    """Weekends and holidays have no session, except in markets that never close."""
    assert expected == calendar.is_trading_date(day)


@pytest.mark.parametrize(
    ("calendar", "minutes"),
    [(NEW_YORK, 390), (MUMBAI, 375), (CURRENCIES, 1440), (FUTURES, 1380), (ALWAYS, 1440)],
)
def test_the_length_of_a_session(calendar: Calendar, minutes: int) -> None:
    """A session's length follows from its opening and closing times."""
    assert minutes == calendar.minutes


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("1999-12-31T15:00", False),
        ("2025-11-18T14:29", False),
        ("2025-11-18T14:30", True),
        ("2025-11-18T20:59", True),
        ("2025-11-18T21:00", False),
    ],
)
def test_an_exchange_is_open_in_its_sessions(moment: str, expected: bool) -> None:
    """An exchange is open from the opening second until before the closing second."""
    assert expected == is_open(NEW_YORK, at(moment))


def test_the_trading_date_of_an_evening_is_the_next_day() -> None:
    """A session that opens on Sunday evening belongs to Monday."""
    times = np.array([at("2025-11-16T22:00"), at("2025-11-17T21:59")])
    assert [at("2025-11-17")] * 2 == sessions(CURRENCIES).midnights(times).tolist()


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("America/New_York", "2025-11-18", -5),
        ("America/New_York", "2025-06-18", -4),
        ("UTC", "2025-06-18", 0),
    ],
)
def test_the_offset_of_a_day(timezone: str, day: str, hours: int) -> None:
    """The offset is local time minus UTC."""
    assert hours * 3600 == utc_offset_seconds(timezone, at(day) // 86_400)


@pytest.mark.parametrize(
    ("name", "expected"), [("Asia/Kolkata", True), ("Nowhere/Nowhere", False), ("", False)]
)
def test_time_zones_are_known_by_name(name: str, expected: bool) -> None:
    """The IANA names of time zones are known, others are not."""
    assert expected == is_timezone(name)
