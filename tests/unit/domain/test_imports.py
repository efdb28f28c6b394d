"""Bars that users bring, judged."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pocketquant.domain.bars import Floats, Refusal
from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.imports import RefusedBar, Surroundings, check, on_trading_days
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, WEEK, Interval

NOW = 1_700_000_000 // DAY * DAY
NOTHING = Surroundings(np.empty(0))


def block(*times: float, volume: float = 5.0) -> Floats:
    """A valid bar at each time."""
    return np.array([[time, 2.0, 3.0, 1.0, 2.5, volume] for time in times]).T


def test_good_bars_are_put_in_order() -> None:
    """Their values are not changed."""
    bars, refused = check(block(NOW - DAY, NOW - 3 * DAY), Interval.D1, NOTHING, NOW)
    assert [NOW - 3 * DAY, NOW - DAY] == bars.time.tolist()
    assert [] == refused


def test_invalid_bars_are_refused_by_their_index() -> None:
    """The index is that of the imported order."""
    given = block(NOW - DAY, NOW - 2 * DAY, NOW - 3 * DAY, NOW - 3 * DAY)
    given[3, 0] = 9.0  # the low over the open
    bars, refused = check(given, Interval.D1, NOTHING, NOW)
    assert [NOW - 3 * DAY, NOW - 2 * DAY] == bars.time.tolist()
    expected = [
        RefusedBar(0, NOW - DAY, Refusal.INCONSISTENT),
        RefusedBar(3, NOW - 3 * DAY, Refusal.REPEATED_TIME),
    ]
    assert expected == refused


def test_a_single_missing_volume_is_refused() -> None:
    """If all volumes are missing, the symbol has none."""
    without = block(NOW - DAY, NOW - 2 * DAY, volume=np.nan)
    assert 2 == len(check(without, Interval.D1, NOTHING, NOW)[0])
    without[5, 0] = 7.0
    _, refused = check(without, Interval.D1, NOTHING, NOW)
    assert [RefusedBar(1, NOW - 2 * DAY, Refusal.NOT_FINITE)] == refused


@pytest.mark.parametrize(
    ("interval", "opened"),
    [(Interval.M1, MINUTE), (Interval.D1, DAY), (Interval.MONTH, 31 * DAY)],
)
def test_an_open_bar_is_refused(interval: Interval, opened: int) -> None:
    """A bar counts as closed when its whole length has passed."""
    bars, refused = check(block(NOW - opened, NOW - opened + 60), interval, NOTHING, NOW)
    assert [NOW - opened] == bars.time.tolist()
    assert [Refusal.NOT_CLOSED] == [each.reason for each in refused]


def test_a_known_calendar_closes_a_bar_earlier() -> None:
    """Its session ends long before its whole length has passed."""
    opened = NOW + 9 * HOUR + 30 * MINUTE
    around = Surroundings(np.empty(0), calendar=calendar("Etc/UTC", "0930-1600"))
    for now, refused in [(NOW + 16 * HOUR - 1, [Refusal.NOT_CLOSED]), (NOW + 16 * HOUR, [])]:
        _, found = check(block(opened), Interval.D1, around, now)
        assert refused == [each.reason for each in found]
    _, found = check(block(NOW + 2 * DAY), Interval.D1, around, NOW)
    assert [Refusal.NOT_CLOSED] == [each.reason for each in found]


@pytest.mark.parametrize(
    ("session", "interval", "opened", "end"),
    [
        ("0930-1600", "1d", "2026-11-25T09:30", "2026-11-25T16:00"),
        ("0930-1600", "1d", "2026-11-24T19:00", "2026-11-25T16:00"),  # midnight in UTC
        ("0930-1600", "1w", "2026-11-23T09:30", "2026-11-27T13:00"),
        ("0930-1600", "1M", "2026-11-02T09:30", "2026-11-30T16:00"),
        ("0930-1600", "1h", "2026-11-25T14:30", "2026-11-25T15:30"),
        ("0930-1600", "1h", "2026-11-25T15:30", "2026-11-25T16:00"),
        ("0930-1600", "1h", "2026-11-25T16:00", "2026-11-25T17:00"),
        ("24x7", "1d", "2026-11-25T00:00", "2026-11-26T00:00"),
        ("24x7", "1d", "2026-11-25T10:00", "2026-11-26T10:00"),
    ],
)
def test_a_bar_is_over_when_the_calendar_says(
    session: str, interval: str, opened: str, end: str
) -> None:
    """A day, week or month that a file begins elsewhere ends with the calendar's."""
    around = Surroundings(np.empty(0), calendar=calendar("America/New_York", session))
    bar = block(local(opened))
    for now, count in [(local(end) - 1, 1), (local(end), 0)]:
        assert count == len(check(bar, Interval(interval), around, now)[1])


@pytest.mark.parametrize(
    ("timezone", "session", "given", "expected"),
    [
        ("America/New_York", "0930-1600", "2023-11-14T00:00+00:00", "2023-11-14T14:30+00:00"),
        ("America/New_York", "0930-1600", "2023-11-14T05:00+00:00", "2023-11-14T14:30+00:00"),
        ("America/New_York", "0930-1600", "2023-11-14T14:30+00:00", "2023-11-14T14:30+00:00"),
        ("America/New_York", "0930-1600", "2023-11-11T00:00+00:00", "2023-11-11T00:00+00:00"),
        ("Asia/Tokyo", "0900-1500", "2023-11-13T15:00+00:00", "2023-11-14T00:00+00:00"),
        ("America/Chicago", "1700-1600", "2023-11-14T00:00+00:00", "2023-11-13T23:00+00:00"),
        ("Etc/UTC", "24x7", "2023-11-14T00:00+00:00", "2023-11-14T00:00+00:00"),
    ],
    ids=["date", "local-midnight", "its-open", "saturday", "tokyo", "future", "always-open"],
)
def test_a_day_of_a_file_opens_with_its_session(
    timezone: str, session: str, given: str, expected: str
) -> None:
    """Files date days by midnight of UTC or of the market, the provider by the open."""
    bars = block(datetime.fromisoformat(given).timestamp(), 1_600_000_001)
    moved = on_trading_days(bars, calendar(timezone, session))
    assert [datetime.fromisoformat(expected).timestamp(), 1_600_000_001] == moved[0].tolist()
    assert bars[1:].tolist() == moved[1:].tolist()


def calendar(timezone: str, session: str) -> Calendar:
    """One with Thanksgiving off, and half a day after it."""
    texts = CalendarTexts(timezone, session, "20261126", "0930-1300:20261127")
    if session == "0930-1600":
        return parse_calendar(texts)
    return parse_calendar(CalendarTexts(timezone, session))


def local(text: str) -> int:
    """Epoch seconds of a time in New York."""
    zone = ZoneInfo("America/New_York")
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def test_a_bar_that_stored_history_reaches_has_closed() -> None:
    """History contains closed bars only; a bar after its end may still change."""
    times = [NOW - 2 * DAY, NOW - DAY + HOUR]
    around = Surroundings(np.array([float(times[1])]), last_time=times[1])
    _, refused = check(block(*times, NOW + DAY), Interval.D1, around, NOW)
    assert [RefusedBar(2, NOW + DAY, Refusal.NOT_CLOSED)] == refused


def test_an_intraday_bar_opens_at_a_whole_minute() -> None:
    """A daily bar may open at any second."""
    _, refused = check(block(NOW - HOUR - 30), Interval.M1, NOTHING, NOW)
    assert [Refusal.MISALIGNED] == [each.reason for each in refused]
    assert 1 == len(check(block(NOW - 2 * DAY - 30), Interval.D1, NOTHING, NOW)[0])


def test_a_day_is_not_stored_twice() -> None:
    """Files open days at midnight, providers with the session."""
    session = NOW - 5 * DAY + 14 * HOUR
    around = Surroundings(np.array([session - DAY, session], dtype=float))
    given = block(NOW - 5 * DAY, session, session + DAY - HOUR)
    bars, refused = check(given, Interval.D1, around, NOW)
    assert [session, session + DAY - HOUR] == bars.time.tolist()
    assert [RefusedBar(0, NOW - 5 * DAY, Refusal.OVERLAPPING)] == refused


def test_imported_bars_must_not_overlap_each_other() -> None:
    """The first of two overlapping bars stays."""
    hours = [NOW - 9 * HOUR, NOW - 9 * HOUR + 1800, NOW - 8 * HOUR, NOW - 7 * HOUR]
    bars, refused = check(block(*hours), Interval.H1, NOTHING, NOW)
    assert [hours[0], hours[2], hours[3]] == bars.time.tolist()
    assert [RefusedBar(1, hours[1], Refusal.OVERLAPPING)] == refused


def test_a_bar_that_would_hide_live_bars_is_refused() -> None:
    """Bars before the first live bar, or before the end of history, are accepted."""
    times = [NOW - 5 * HOUR, NOW - 4 * HOUR, NOW - 3 * HOUR]
    live = Surroundings(np.empty(0), live_from=NOW - 4 * HOUR)
    bars, refused = check(block(*times), Interval.H1, live, NOW)
    assert [times[0]] == bars.time.tolist()
    assert [Refusal.HIDES_LIVE] * 2 == [each.reason for each in refused]
    behind = Surroundings(np.empty(0), last_time=NOW - 4 * HOUR, live_from=NOW - WEEK)
    bars, _ = check(block(*times), Interval.H1, behind, NOW)
    assert times[:2] == bars.time.tolist()
