"""The provider's window: of an intraday series it serves so many of the newest bars, no older ones.

Bars that were not fetched before the window has passed are lost for good. An `Outlook` tells when
that happens, so that the series can be synced in time.
"""

from dataclasses import dataclass

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.coverage import Coverage, CoverageState
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import MAX_BARS, SyncRequest

_MOST_SPAN = 60 * DAY  # longer spans are estimated from the bars of this one
_CLOSED_SHARE = 6  # a bar in so many, counted around the clock, is in a session
_NEXT_BAR_SPAN = 5 * DAY
_MORE_BARS = 5  # the forming one, and some that the calendar does not have


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Seconds after which a series that was not synced is stale, and before which it is at risk."""

    stale_seconds: int
    at_risk_seconds: int

    def late_before(self, now: int) -> int:
        """Return the moment; a series that is late since before it is stale."""
        return now - self.stale_seconds

    def leaves_before(self, now: int) -> int:
        """Return the moment; a series that loses history before it is at risk."""
        return now + self.at_risk_seconds


@dataclass(frozen=True, slots=True)
class Outlook:
    """The future of a series that is not synced again; None: never, or not known.

    `late_since` is when the first bar closes that was not fetched. `lacks_from` is the oldest time
    that was not fetched and that the provider still serves, and `leaves_at` when it serves that no
    more.
    """

    late_since: int | None = None
    lacks_from: int | None = None
    leaves_at: int | None = None


def outlook(
    coverage: Coverage,
    calendar: Calendar | None,
    interval: Interval,
    now: int,
    limit: int | None = None,
) -> Outlook:
    """Return the future of the covered stretches; without a calendar, markets never close.

    `limit` is how many bars the account's plan has served of the series, if that is known.
    """
    if coverage.end is None:
        return Outlook()
    late_since = _next_close(calendar, interval, coverage.end)
    if not interval.is_intraday:
        return Outlook(late_since)
    reach = limit or reach_bars(coverage, calendar, interval)
    lacks_from = _lacks_from(coverage, calendar, interval, now, reach)
    return Outlook(late_since, lacks_from, _passed_at(calendar, interval, lacks_from, reach))


def reach_bars(coverage: Coverage, calendar: Calendar | None, interval: Interval) -> int:
    """Return how many of the newest bars the provider serves.

    These are as many as it served when it had no older ones, but at least those of one fetch, which
    every plan includes: a new listing has fewer.
    """
    for each in reversed(coverage.ranges):
        if each.state is CoverageState.LIMITED:
            return max(MAX_BARS, _count(calendar, interval, each.end, each.asked_at))
    return MAX_BARS


def request_in_time(series: Series, lacks_from: int, now: int) -> SyncRequest:
    """Return the sync that fetches what leaves the window."""
    n_bars = (now - lacks_from) // series.interval.seconds + _MORE_BARS
    if n_bars <= MAX_BARS:
        return SyncRequest(series, max(n_bars, _MORE_BARS))
    return SyncRequest(series, start=lacks_from)


def _lacks_from(
    coverage: Coverage, calendar: Calendar | None, interval: Interval, now: int, reach: int
) -> int:
    """Return the start of the oldest stretch to fetch, or its part that is still in the window."""
    gaps = coverage.gaps()
    since = _window_start(calendar, interval, now, reach) if gaps else 0
    oldest = (max(start, since) for start, end in gaps if end > since)
    return next(oldest, coverage.end or now)


def _window_start(calendar: Calendar | None, interval: Interval, now: int, reach: int) -> int:
    span = _span(calendar, interval, reach)
    count = _count(calendar, interval, now - span, now)
    if calendar is not None and count >= reach:
        return int(calendar.opens(interval, now - span, now)[-reach])
    return now - span * reach // max(count, 1)


def _passed_at(calendar: Calendar | None, interval: Interval, time: int, reach: int) -> int:
    """Return when so many bars will have opened after the first one since `time`."""
    span = _span(calendar, interval, reach)
    if calendar is None:
        return time + span
    opens = calendar.opens(interval, time, time + span)
    if len(opens) > reach:
        return int(opens[reach])
    return time + span * reach // max(len(opens), 1)


def _span(calendar: Calendar | None, interval: Interval, reach: int) -> int:
    """Return a span that holds so many bars, if that is not too long."""
    around_the_clock = reach * interval.seconds
    return (
        around_the_clock if calendar is None else min(_CLOSED_SHARE * around_the_clock, _MOST_SPAN)
    )


def _count(calendar: Calendar | None, interval: Interval, start: int, end: int) -> int:
    if calendar is None:
        return (end - start) // interval.seconds
    return len(calendar.opens(interval, start, end))


def _next_close(calendar: Calendar | None, interval: Interval, time: int) -> int | None:
    """Return when the first bar closes that opens then or later."""
    if calendar is None:
        return time + interval.seconds
    start = time if calendar.is_open(time) else calendar.next_open(time) or time
    closes = calendar.bars(interval, start, start + interval.seconds + _NEXT_BAR_SPAN).closes
    return int(closes[0]) if len(closes) else None
