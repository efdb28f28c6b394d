"""Where a live bar begins and ends.

A minute is a minute of the clock. `3m` to `4h` are the exchange's own bars, by its calendar; the
last one of a session is short. Live days, weeks and months are those of UTC.
"""

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.intervals import Interval

_UTC = frozenset({"Etc/UTC", "UTC"})

Period = tuple[int, int]  # start included, end excluded


def period(calendar: Calendar | None, interval: Interval, time: int) -> Period | None:
    """The period that contains `time`; None while the market is closed.

    Without a calendar only minutes are known.
    """
    if interval is not Interval.M1 and calendar is None:
        return None
    if calendar is None or interval is Interval.M1 or not interval.is_intraday:
        return interval.period_start(time), interval.period_end(time)
    window = calendar.bar_at(time, interval)
    return (window.open, window.close) if window else None


def is_exchanges_own(calendar: Calendar | None, interval: Interval) -> bool:
    """Whether live bars lie where the exchange's own do.

    Days, weeks and months of UTC do only for a market that trades around the clock in UTC.
    """
    if interval.is_intraday or calendar is None:
        return True
    return calendar.is_continuous and calendar.texts.timezone in _UTC


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


def periods_lost(
    before: Calendar, after: Calendar | None, interval: Interval, start: int, end: int
) -> list[Period]:
    """The periods of a calendar that begin in the range and that its successor does not have."""
    if interval is Interval.M1 or not interval.is_intraday:
        return []
    lost = before.bars(interval, start, end)
    kept = after.bars(interval, start, end) if after else None
    known = set(zip(kept.opens.tolist(), kept.closes.tolist(), strict=True)) if kept else set()
    periods = zip(lost.opens.tolist(), lost.closes.tolist(), strict=True)
    return [each for each in periods if each not in known]
