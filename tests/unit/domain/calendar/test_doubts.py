"""Calendars are compared with the bars that came."""

import numpy as np
import pytest

from pocketquant.domain.calendar import Calendar, CalendarTexts, Check, check_opens, parse_calendar
from pocketquant.domain.calendar.doubts import RECENT_SECONDS
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval

MONDAY = 1_767_571_200  # 2026-01-05
OPEN = MONDAY + 9 * HOUR + 30 * MINUTE


@pytest.fixture
def calendar() -> Calendar:
    """Weekdays from 9:30 to 16:00 UTC."""
    return parse_calendar(CalendarTexts("Etc/UTC", "0930-1600"))


def test_predicted_bars_raise_no_doubt(calendar: Calendar) -> None:
    """Their opens are those of the calendar."""
    opens = np.array([OPEN, OPEN + HOUR, OPEN + DAY])
    expected = Check(None, OPEN, OPEN + DAY - RECENT_SECONDS)
    assert expected == check_opens(calendar, Interval.H1, opens)


def test_the_newest_unpredicted_bar_is_named(calendar: Calendar) -> None:
    """A bar on the hour is none of a session that opens at half past."""
    opens = np.array([OPEN, OPEN + HOUR - 30 * MINUTE, OPEN + 7 * HOUR, OPEN + DAY])
    assert OPEN + 7 * HOUR == check_opens(calendar, Interval.H1, opens).unpredicted


@pytest.mark.parametrize(
    ("opened", "unpredicted"), [(OPEN + DAY, None), (OPEN + HOUR, OPEN + HOUR)]
)
def test_the_first_week_of_a_symbol_begins_on_any_day(
    calendar: Calendar, opened: int, unpredicted: int | None
) -> None:
    """With the session of its first day."""
    opens = np.array([opened, OPEN + 7 * DAY])
    assert unpredicted == check_opens(calendar, Interval.W1, opens).unpredicted
    later = check_opens(calendar, Interval.W1, np.array([OPEN - 7 * DAY, opened]))
    assert opened == later.unpredicted


def test_bars_of_long_ago_are_not_compared(calendar: Calendar) -> None:
    """Hours were others then, and a calendar has to be right today."""
    opens = np.array([OPEN - RECENT_SECONDS - 4 * DAY + HOUR, OPEN])
    assert Check(None, OPEN, OPEN - RECENT_SECONDS) == check_opens(calendar, Interval.D1, opens)


@pytest.mark.parametrize(
    ("unpredicted", "doubted", "expected"),
    [
        (None, 1000, True),
        (None, 999, False),
        (None, 99, True),
        (2000, 1000, False),
    ],
)
def test_a_doubt_ends_when_its_bar_is_predicted(
    unpredicted: int | None, doubted: int, expected: bool
) -> None:
    """Its time must have been compared again, or lie too far back."""
    assert expected == Check(unpredicted, since=1000, recent_from=100).settles(doubted)
