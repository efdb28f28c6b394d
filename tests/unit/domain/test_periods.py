"""Where live bars begin and end, by calendars."""

from datetime import datetime

import pytest

from pocketquant.domain.calendar import Calendar, parse_calendar
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.periods import last_day_within, last_period, period, periods_lost
from tests.forming import ALWAYS
from tests.unit.domain.calendar import texts

NEW_YORK, HONG_KONG = parse_calendar(texts.AAPL), parse_calendar(texts.HKEX_2026)
CHICAGO = parse_calendar(texts.ES)
FRIDAY = "2026-11-27T"  # after Thanksgiving: closed at 13:00 in New York, 18:00 UTC


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


@pytest.mark.parametrize(
    ("calendar", "interval", "time", "expected"),
    [
        (NEW_YORK, "1h", "2026-11-25T15:29:59", ("2026-11-25T14:30", "2026-11-25T15:30")),
        (NEW_YORK, "1h", "2026-11-25T20:59:59", ("2026-11-25T20:30", "2026-11-25T21:00")),
        (NEW_YORK, "1h", FRIDAY + "17:59:59", (FRIDAY + "17:30", FRIDAY + "18:00")),
        (NEW_YORK, "4h", FRIDAY + "14:30", (FRIDAY + "14:30", FRIDAY + "18:00")),
        (NEW_YORK, "1h", FRIDAY + "18:00", None),
        (NEW_YORK, "1m", FRIDAY + "18:00", (FRIDAY + "18:00", FRIDAY + "18:01")),
        (NEW_YORK, "1h", "2026-03-06T14:30", ("2026-03-06T14:30", "2026-03-06T15:30")),
        (NEW_YORK, "1h", "2026-03-09T13:30", ("2026-03-09T13:30", "2026-03-09T14:30")),
        (NEW_YORK, "1d", FRIDAY + "14:30", (FRIDAY + "14:30", FRIDAY + "18:00")),
        (HONG_KONG, "2h", "2026-06-08T03:45", ("2026-06-08T03:30", "2026-06-08T04:00")),
        (HONG_KONG, "2h", "2026-06-08T05:00", ("2026-06-08T05:00", "2026-06-08T07:00")),
        (CHICAGO, "4h", "2026-06-09T23:00", ("2026-06-09T22:00", "2026-06-10T02:00")),
        (CHICAGO, "4h", "2026-06-10T20:59", ("2026-06-10T18:00", "2026-06-10T21:00")),
        (None, "1m", "2026-06-10T20:59", ("2026-06-10T20:59", "2026-06-10T21:00")),
        (None, "3m", "2026-06-10T20:59", None),
        (None, "1d", "2026-06-10T20:59", None),
    ],
)
def test_a_bar_has_the_period_of_the_exchange(
    calendar: Calendar | None, interval: str, time: str, expected: tuple[str, str] | None
) -> None:
    """The last one of a session is short, before lunch and on an early close too."""
    found = period(calendar, Interval(interval), seconds(time))
    assert (expected and (seconds(expected[0]), seconds(expected[1]))) == found


@pytest.mark.parametrize("interval", Interval)
def test_a_market_that_never_closes_has_the_periods_of_the_clock(interval: Interval) -> None:
    """Its days begin at midnight UTC."""
    time = seconds("2026-02-28T13:37:42")
    assert (interval.period_start(time), interval.period_end(time)) == period(
        ALWAYS, interval, time
    )


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (FRIDAY + "15:00", FRIDAY + "15:40", (FRIDAY + "15:30", FRIDAY + "16:30")),
        (FRIDAY + "15:00", FRIDAY + "23:00", (FRIDAY + "17:30", FRIDAY + "18:00")),
        (FRIDAY + "18:00", FRIDAY + "23:00", None),
        ("2026-11-28T00:00", "2026-11-30T14:00", None),
    ],
)
def test_the_last_period_of_a_stretch(
    start: str, end: str, expected: tuple[str, str] | None
) -> None:
    """If the market is closed at its end, it is the last one of the session before."""
    found = last_period(NEW_YORK, Interval.H1, seconds(start), seconds(end))
    assert (expected and (seconds(expected[0]), seconds(expected[1]))) == found


def test_without_a_calendar_a_stretch_has_minutes_alone() -> None:
    """Longer bars are not known."""
    assert (0, 60) == last_period(None, Interval.M1, 0, 10)
    assert None is last_period(None, Interval.H1, 0, 10)


def test_periods_that_another_calendar_does_not_have() -> None:
    """If a close moves, the last ones are lost; if no calendar is left, all are."""
    start = seconds(FRIDAY + "00:00")
    longer = parse_calendar(texts.CalendarTexts("America/New_York", "0930-1600"))
    lost = periods_lost(NEW_YORK, longer, Interval.H4, start, start + DAY)
    assert [(seconds(FRIDAY + "14:30"), seconds(FRIDAY + "18:00"))] == lost
    assert [] == periods_lost(NEW_YORK, longer, Interval.M15, start, start + DAY)
    assert 14 == len(periods_lost(NEW_YORK, None, Interval.M15, start, start + DAY))
    assert [] == periods_lost(NEW_YORK, None, Interval.M1, start, start + DAY)
    day = seconds(FRIDAY + "14:30"), seconds(FRIDAY + "18:00")
    assert [day] == periods_lost(NEW_YORK, longer, Interval.D1, start, start + DAY)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-25T14:30", "2026-11-25T21:00", ("2026-11-25T14:30", "2026-11-25T21:00")),
        ("2026-11-25T14:31", "2026-11-27T14:00", None),
        ("2026-11-25T14:30", "2026-11-27T17:59", ("2026-11-25T14:30", "2026-11-25T21:00")),
        ("2026-11-25T15:00", "2026-11-30T20:00", (FRIDAY + "14:30", FRIDAY + "18:00")),
        ("2026-11-27T17:00", "2026-11-30T20:00", None),
        ("1899-01-01T00:00", "1899-02-01T00:00", None),
    ],
)
def test_the_last_day_within_a_stretch(
    start: str, end: str, expected: tuple[str, str] | None
) -> None:
    """Days that reach out of it do not count."""
    found = last_day_within(NEW_YORK, seconds(start), seconds(end))
    assert (expected and (seconds(expected[0]), seconds(expected[1]))) == found
