"""Exchanges trade in sessions."""

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from pocketquant.simulator.market import exchanges, holidays
from pocketquant.simulator.market.calendars import (
    Calendar,
    is_open,
    is_timezone,
    sessions,
    utc_offset_seconds,
)
from pocketquant.simulator.market.exchanges import (
    ALWAYS,
    CURRENCIES,
    FUTURES,
    HONG_KONG,
    MUMBAI,
    NEW_YORK,
)


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
    calendars = [each for each in vars(exchanges).values() if isinstance(each, Calendar)]
    assert len(calendars) > 10
    for calendar in calendars:
        known = sessions(calendar)
        assert np.all(known.starts[1:] >= known.ends[:-1])
        assert np.all(known.starts < known.ends)


def trading(calendar: Calendar, day: str) -> list[str]:
    """Return the hours of a trading date by the clock of UTC."""
    known = sessions(calendar)
    number = int(np.searchsorted(known.dates, (date.fromisoformat(day) - date(1970, 1, 1)).days))
    if known.dates[number] != (date.fromisoformat(day) - date(1970, 1, 1)).days:
        return []
    places = range(known.firsts[number], known.firsts[number + 1])
    return [f"{clock(known.starts[each], day)}-{clock(known.ends[each], day)}" for each in places]


def clock(time: int, day: str) -> str:
    """Return hours and minutes since the midnight of UTC that begins a day."""
    minutes = (int(time) - at(day)) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        (NEW_YORK, "2025-11-18", ["14:30-21:00"]),
        (NEW_YORK, "2025-11-15", []),
        (NEW_YORK, "2025-11-27", []),
        (NEW_YORK, "2025-11-28", ["14:30-18:00"]),
        (NEW_YORK, "2025-12-24", ["14:30-18:00"]),
        (NEW_YORK, "2026-04-03", []),
        (NEW_YORK, "2025-01-09", []),
        (NEW_YORK, "2025-03-07", ["14:30-21:00"]),
        (NEW_YORK, "2025-03-10", ["13:30-20:00"]),
        (exchanges.EXTENDED, "2025-11-28", ["09:00-22:00"]),
        (FUTURES, "2025-11-27", []),
        (FUTURES, "2025-11-28", ["-25:00--6:00", "-1:00-18:15"]),
        (FUTURES, "2025-07-07", ["-74:00--55:00", "-2:00-21:00"]),
        (FUTURES, "2025-12-24", ["-1:00-18:15"]),
        (FUTURES, "2025-12-25", []),
        (FUTURES, "2026-04-03", ["-2:00-13:15"]),
        (CURRENCIES, "2026-01-01", []),
        (CURRENCIES, "2026-01-02", ["-2:00-22:00"]),
        (HONG_KONG, "2025-11-18", ["01:30-04:00", "05:00-08:00"]),
        (HONG_KONG, "2025-12-24", ["01:30-04:00"]),
        (HONG_KONG, "2026-02-17", []),
        (MUMBAI, "2025-10-21", ["08:15-09:15"]),
        (MUMBAI, "2024-11-01", ["12:30-13:30"]),
        (MUMBAI, "2025-10-22", []),
        (MUMBAI, "2025-02-01", ["03:45-10:00"]),
        (MUMBAI, "2026-07-31", ["03:45-10:00"]),
        (MUMBAI, "2026-08-03", ["03:45-09:45"]),
        (exchanges.DOLLAR_INDEX, "2025-11-17", ["-2:00-24:00"]),
        (exchanges.DOLLAR_INDEX, "2025-11-18", ["00:00-24:00"]),
        (exchanges.BRENT, "2026-10-23", ["00:00-22:00"]),
        (exchanges.BRENT, "2026-10-26", ["-2:00-22:00"]),
        (exchanges.BRENT, "2026-10-27", ["00:00-22:00"]),
        (exchanges.BRENT, "2026-11-03", ["01:00-23:00"]),
        (exchanges.THREE_DAYS_A_WEEK, "2025-11-18", []),
        (exchanges.THREE_DAYS_A_WEEK, "2025-11-19", ["14:30-21:00"]),
        (exchanges.ALWAYS_IN_CHICAGO, "2025-11-02", ["05:00-30:00"]),
        (ALWAYS, "2025-12-25", ["00:00-24:00"]),
    ],
)
def test_the_hours_of_a_date(calendar: Calendar, day: str, expected: list[str]) -> None:
    """Holidays, short days, special sessions, breaks and clock changes are the exchange's own."""
    assert expected == trading(calendar, day)


def test_the_texts_are_the_captured_ones(wire: Any) -> None:
    """Holidays of the United States, and the futures' hours around them, are the captured texts."""
    captured = {
        each["symbol"]: each
        for each in json.loads((wire / "calendar_strings_2026-10-10.json").read_text())
    }
    holidays_since_2025 = [day for day in NEW_YORK.holidays_text.split(",") if day >= "2025"]
    expected = captured["NASDAQ:AAPL"]["session_holidays_from_2025"].split(",")
    assert [*expected, "20250109"] == [
        *(day for day in holidays_since_2025 if day in expected),
        *(day for day in holidays_since_2025 if day not in expected and day < "2028"),
    ]
    assert captured["HKEX"]["session"] == HONG_KONG.session_text
    assert captured["NSE"]["session"] == MUMBAI.session_text
    of_futures = captured["CME ES"]["session-correction_from_2025"]
    assert corrected(of_futures) == corrected(FUTURES.corrections_text)


def corrected(text: str) -> dict[str, str]:
    """Return the hours of corrected dates, of two years."""
    return {
        day: hours
        for hours, _, days in (entry.partition(":") for entry in text.split(";"))
        for day in days.split(",")
        if "2025" <= day < "2027"
    }


@pytest.mark.parametrize(
    ("year", "expected"),
    [(2000, "0421"), (2008, "0321"), (2011, "0422"), (2024, "0329"), (2038, "0423")],
)
def test_good_friday_moves(year: int, expected: str) -> None:
    """Good Friday follows Easter, from March to April."""
    assert expected == f"{holidays.good_friday(year):%m%d}"


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
