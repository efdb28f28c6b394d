"""Times and trading days of answers."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.calendar import parse_calendar
from tests.unit.domain.calendar.texts import FX
from web.times import UTC_TIMES, TimeFormat, zone_of

NEW_YORK = ZoneInfo("America/New_York")
ZONES = (
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Hong_Kong",
)
EVENINGS = parse_calendar(FX)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

times = st.integers(-3_000_000_000, 4_000_000_000) | st.integers(-30_000_000_000, 0)


@given(st.lists(times, max_size=20), st.sampled_from(ZONES))
def test_a_time_in_a_zone_is_the_same_moment(moments: list[int], name: str) -> None:
    """Its offset is the zone's, to the minute; any order will do."""
    zone = ZoneInfo(name)
    texts = json.loads(b"[%b]" % TimeFormat(zone).texts(np.array(moments, dtype=np.float64)))
    read = [datetime.fromisoformat(text) for text in texts]
    assert moments == [(each - _EPOCH) // timedelta(seconds=1) for each in read]
    for each in read:
        exact = each.astimezone(zone).utcoffset()
        assert exact is not None
        assert abs(exact - (each.utcoffset() or timedelta())) <= timedelta(seconds=30)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, "1883-11-18T17:00:00Z"),
        ("America/New_York", "1883-11-18T12:00:00-05:00"),
        ("Europe/London", "1883-11-18T17:00:00+00:00"),
        ("Asia/Kolkata", "1883-11-18T22:21:00+05:21"),
    ],
)
def test_the_text_of_one_time(zone: str | None, expected: str) -> None:
    """UTC has `Z`; offsets have no seconds."""
    times = TimeFormat(zone_of(zone or "UTC"))
    assert expected == times.text(-2_717_650_800)
    assert (zone or "UTC") == times.zone_name


def test_a_trading_day_is_the_calendars() -> None:
    """Sunday evening belongs to Monday; out of session, or without a calendar, it is unknown."""
    sunday_evening, saturday = 1_795_989_600, 1_795_900_000
    known = TimeFormat(NEW_YORK, True, EVENINGS)
    assert (date(2026, 11, 30), None) == tuple(
        known.trading_day(time) for time in (sunday_evening, saturday)
    )
    assert b'"2026-11-30",null' == known.trading_day_texts(np.array([sunday_evening, saturday]))
    unknown = TimeFormat(has_trading_days=True)
    assert (None, b"null") == (
        unknown.trading_day(sunday_evening),
        unknown.trading_day_texts(np.array([sunday_evening])),
    )


def test_shorter_bars_have_no_trading_day() -> None:
    """Whatever the calendar."""
    assert TimeFormat(calendar=EVENINGS).trading_day(1_795_989_600) is None


def test_no_times_are_an_empty_array() -> None:
    """In every zone."""
    for each in (UTC_TIMES, TimeFormat(NEW_YORK)):
        assert b"" == each.texts(np.array([]))
