"""When history leaves the provider's window."""

from datetime import UTC, datetime

import pytest

from pocketquant.domain.calendar import Calendar, CalendarTexts, parse_calendar
from pocketquant.domain.coverage import Coverage, CoverageState, Covered
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, SyncRequest
from pocketquant.domain.window import Outlook, Thresholds, outlook, reach_bars, request_in_time

ALWAYS = parse_calendar(CalendarTexts("Etc/UTC", "24x7"))
NEW_YORK = parse_calendar(CalendarTexts("America/New_York", "0930-1600", "20261126"))
COMPLETE, LIMITED = CoverageState.COMPLETE, CoverageState.LIMITED


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def covered(*stretches: tuple[str, str]) -> Coverage:
    return Coverage(
        tuple(Covered(at(start), at(end), COMPLETE, at(end)) for start, end in stretches)
    )


def test_thresholds_are_moments_around_now() -> None:
    """Late since before the first one is stale; what leaves before the second is at risk."""
    thresholds = Thresholds(stale_seconds=DAY, at_risk_seconds=HOUR)
    assert (-DAY, HOUR) == (thresholds.late_before(0), thresholds.leaves_before(0))


def test_minutes_around_the_clock_leave_after_5000_of_them() -> None:
    """The first that was not fetched is the first to leave."""
    found = outlook(covered(("2026-11-01", "2026-11-20")), ALWAYS, Interval.M1, at("2026-11-20"))
    fetched_until = at("2026-11-20")
    assert found == Outlook(fetched_until + 60, fetched_until, fetched_until + MAX_BARS * MINUTE)


def test_minutes_of_an_exchange_leave_after_weeks() -> None:
    """Nights, weekends and a holiday do not count: 5000 minutes are 12 sessions and 320 more."""
    friday = covered(("2026-11-01", "2026-11-20T21:00"))
    found = outlook(friday, NEW_YORK, Interval.M1, at("2026-11-21"))
    assert found.late_since == at("2026-11-23T14:31")
    assert found.leaves_at == at("2026-12-10T19:50")


@pytest.mark.parametrize(
    ("interval", "calendar", "late_since"),
    [
        (Interval.D1, NEW_YORK, "2026-11-27T21:00"),  # the day after the holiday
        (Interval.W1, NEW_YORK, "2026-12-04T21:00"),
        (Interval.D1, None, "2026-11-27"),
    ],
)
def test_days_and_longer_bars_stay(
    interval: Interval, calendar: Calendar | None, late_since: str
) -> None:
    """They are late once the next one has closed."""
    found = outlook(covered(("2026-01-01", "2026-11-26")), calendar, interval, at("2026-11-26"))
    assert found == Outlook(at(late_since))


def test_without_a_fetch_or_a_session_to_come_nothing_is_due() -> None:
    """Calendars end with the year 2199."""
    assert outlook(Coverage(), ALWAYS, Interval.M1, 0) == Outlook()
    calendar = parse_calendar(CalendarTexts("America/New_York", "0930-1600"))
    ended = covered(("2199-12-01", "2199-12-31T22:00"))
    assert outlook(ended, calendar, Interval.D1, at("2199-12-31T22:00")) == Outlook()


def test_long_bars_are_estimated() -> None:
    """5000 bars of four hours are ten years of sessions; the next two months stand for them."""
    found = outlook(covered(("2026-01-01", "2026-11-20")), NEW_YORK, Interval.H4, at("2026-11-20"))
    years = ((found.leaves_at or 0) - at("2026-11-20")) / (365 * DAY)
    assert 9 < years < 11


def test_the_oldest_gap_that_is_still_served_leaves_first() -> None:
    """One that has left the window is lost; of one that is leaving, the rest counts."""
    now = at("2026-11-20")
    left = ("2026-11-01", "2026-11-02")
    leaving = covered(left, ("2026-11-03", "2026-11-16"), ("2026-11-17", "2026-11-20"))
    window_start = now - MAX_BARS * MINUTE  # 2026-11-16T12:40
    found = outlook(leaving, ALWAYS, Interval.M1, now)
    assert (window_start, now) == (found.lacks_from, found.leaves_at)
    served = covered(left, ("2026-11-03", "2026-11-18"), ("2026-11-19", "2026-11-20"))
    found = outlook(served, ALWAYS, Interval.M1, now)
    assert at("2026-11-18") == found.lacks_from
    lost = covered(left, ("2026-11-03", "2026-11-20"))
    assert now == outlook(lost, ALWAYS, Interval.M1, now).lacks_from


def test_without_a_calendar_markets_never_close() -> None:
    """So a series counts as at risk too early rather than too late."""
    gap = covered(("2026-11-01", "2026-11-02"), ("2026-11-19", "2026-11-20"))
    now = at("2026-11-20")
    found = outlook(gap, None, Interval.H1, now)
    gone = at("2026-11-02")
    assert found == Outlook(now + HOUR, gone, gone + MAX_BARS * HOUR)
    assert outlook(gap, NEW_YORK, Interval.M15, now).lacks_from == gone


@pytest.mark.parametrize(
    ("limit", "calendar", "expected"),
    [
        ("2026-11-10", ALWAYS, 10 * DAY // MINUTE),
        ("2026-11-10", None, 10 * DAY // MINUTE),
        ("2026-11-19", ALWAYS, MAX_BARS),  # a new listing
    ],
)
def test_the_reach_is_learned(limit: str, calendar: Calendar | None, expected: int) -> None:
    """From the bars that the provider served when it had no older ones."""
    asked_at = at("2026-11-20")
    found = Coverage(
        (
            Covered(at("2026-11-01"), at(limit), LIMITED, asked_at),
            Covered(at(limit), asked_at, COMPLETE, asked_at),
        )
    )
    assert expected == reach_bars(found, calendar, Interval.M1)


def test_the_limit_of_a_plan_is_its_reach() -> None:
    """As a range has shown it; what else is known counts no more."""
    now = at("2026-11-20")
    found = outlook(covered(("2026-11-01", "2026-11-20")), ALWAYS, Interval.M1, now, limit=20_000)
    assert now + 20_000 * MINUTE == found.leaves_at


def test_a_sync_in_time_reaches_back_to_what_is_lacking() -> None:
    """As the newest bars of one fetch, or as a range."""
    series, now = Series.parse("BINANCE:BTCUSDT|1m"), at("2026-11-20")
    assert SyncRequest(series, 65) == request_in_time(series, now - HOUR, now)
    assert SyncRequest(series, 5) == request_in_time(series, now + HOUR, now)
    start = now - 4 * DAY
    assert SyncRequest(series, start=start) == request_in_time(series, start, now)
