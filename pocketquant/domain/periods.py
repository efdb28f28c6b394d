"""Where a live bar begins and ends.

A minute is a minute of the clock. Longer ones are the exchange's own, by its calendar; the last
intraday one of a session is short.
"""

from pocketquant.domain.calendar import BarWindow, Calendar
from pocketquant.domain.intervals import Interval

Period = tuple[int, int]  # start included, end excluded


def period(calendar: Calendar | None, interval: Interval, time: int) -> Period | None:
    """The period that contains `time`; None while the market is closed.

    Without a calendar only minutes are known.
    """
    if interval is Interval.M1:
        return interval.period_start(time), interval.period_end(time)
    window = calendar.bar_at(time, interval) if calendar else None
    return (window.open, window.close) if window else None


def last_period(
    calendar: Calendar | None, interval: Interval, start: int, end: int
) -> Period | None:
    """The last period that contains any time from `start` to before `end`, or None."""
    if found := period(calendar, interval, end - 1):
        return found
    session = calendar.latest_session(end - 1) if calendar else None
    if session is None or session.close <= start:
        return None
    return period(calendar, interval, session.close - 1)


def last_day_within(calendar: Calendar, start: int, end: int) -> Period | None:
    """The last trading day that lies wholly in a stretch of time, or None."""
    day = _latest_day(calendar, end - 1)
    if day is not None and day.close > end:
        day = _latest_day(calendar, day.open - 1)
    return (day.open, day.close) if day is not None and day.open >= start else None


def periods_lost(
    before: Calendar, after: Calendar | None, interval: Interval, start: int, end: int
) -> list[Period]:
    """The periods of a calendar that begin in the range and that its successor does not have."""
    if interval is Interval.M1:
        return []
    lost = before.bars(interval, start, end)
    kept = after.bars(interval, start, end) if after else None
    known = set(zip(kept.opens.tolist(), kept.closes.tolist(), strict=True)) if kept else set()
    periods = zip(lost.opens.tolist(), lost.closes.tolist(), strict=True)
    return [each for each in periods if each not in known]


def _latest_day(calendar: Calendar, time: int) -> BarWindow | None:
    """The trading day of the newest session at a time."""
    session = calendar.latest_session(time)
    return calendar.bar_of_day(session.trading_day, Interval.D1) if session else None
