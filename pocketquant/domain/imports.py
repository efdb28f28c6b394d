"""Checks of imported bars: which of them may be stored beside the provider's.

The checks of a sync come first, then these:

    misaligned     an intraday bar does not open at a whole minute
    not_closed     the bar may still change: its length has not passed (a month counts 31 days), it
                   has not ended by the calendar, and stored history does not reach its time
    hides_live     a live bar opens with it or before it, or is of the same day: only a sync may
                   replace live bars
    overlapping    another bar opens less than one bar's length away: providers open days with the
                   session, files often at midnight
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import time as clock_time

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars, Floats, Refusal, judge, kept, mark, reason_at
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.calendar.zones import parse_zone
from pocketquant.domain.intervals import DAY, HOUR, MINUTE, Interval

_MIDNIGHT = clock_time()
_LONGEST_MONTH = 31 * DAY
# The least distance of two opens: sessions shift by hours, and holidays shift weeks by days.
_NEAREST_SECONDS = {Interval.D1: 18 * HOUR, Interval.W1: 84 * HOUR, Interval.MONTH: 15 * DAY}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The stored series: opens near the import in order, the last open, the first live one."""

    times: Floats
    last_time: int | None = None
    live_from: int | None = None
    calendar: Calendar | None = None  # of the symbol, if it is known


@dataclass(frozen=True, slots=True)
class RefusedBar:
    """An imported bar that is not stored: its index in the file, and the reason."""

    index: int
    time: float
    reason: Refusal


def nearest_seconds(interval: Interval) -> int:
    """The least number of seconds between the opens of two bars."""
    return _NEAREST_SECONDS.get(interval, interval.seconds)


def on_trading_days(columns: Floats, calendar: Calendar) -> Floats:
    """Return daily bars that are dated by midnight at the opens of their trading days.

    Files date a day by midnight of UTC or of the market; the provider by the open of its session,
    which for futures lies on the day before. Times of days without a session stay.
    """
    moved = columns.copy()
    zones = (UTC, parse_zone(calendar.texts.timezone))
    is_open = calendar.are_opens(columns[0].astype(np.int64), Interval.D1)
    for index in np.flatnonzero(~is_open).tolist():
        dates = [datetime.fromtimestamp(columns[0, index], zone) for zone in zones]
        days = (date.date() for date in dates if date.time() == _MIDNIGHT)
        windows = (calendar.bar_of_day(day, Interval.D1) for day in days)
        moved[0, index] = next((each.open for each in windows if each), columns[0, index])
    return moved


def check(
    columns: Floats, interval: Interval, around: Surroundings, now: int
) -> tuple[Bars, list[RefusedBar]]:
    """The good bars of a raw (6, n) block in order of time, and the refused ones by index.

    The block may be in any order. Either all bars need a volume, or none has one.
    """
    order = np.argsort(columns[0], kind="stable")
    ordered = columns[:, order]
    reasons = judge(ordered, has_volume=not np.isnan(ordered[5]).all())
    good = np.flatnonzero(reasons == 0)
    times = ordered[0, good]
    mark(reasons, Refusal.OVERLAPPING, _overlapping(times, interval, around.times), good)
    mark(reasons, Refusal.HIDES_LIVE, _hiding(times, interval, around), good)
    mark(reasons, Refusal.NOT_CLOSED, _growing(times, interval, around, now), good)
    if interval.is_intraday:
        mark(reasons, Refusal.MISALIGNED, times % MINUTE != 0, good)
    refused = [
        RefusedBar(int(order[index]), float(ordered[0, index]), reason_at(reasons, index))
        for index in np.flatnonzero(reasons).tolist()
    ]
    return kept(ordered, reasons), sorted(refused, key=lambda each: each.index)


def _growing(
    times: Floats, interval: Interval, around: Surroundings, now: int
) -> NDArray[np.bool_]:
    """Mask of the bars that may not have closed."""
    growing = times > now - _length(interval)
    if around.last_time is not None:
        growing &= times > around.last_time
    if around.calendar is not None:
        for index in np.flatnonzero(growing & (times < now)).tolist():
            growing[index] = _end(around.calendar, interval, int(times[index])) > now
    return np.asarray(growing)


def _end(calendar: Calendar, interval: Interval, opened: int) -> int:
    """Return when the bar that opened then is over.

    A bar that opened where the calendar opens none, as days of files do at midnight, is over with
    the calendar's bar of that time or, while the market is closed, with the next one. If it opened
    within a session, it has its whole length at least.
    """
    window = calendar.bar_at(opened, interval)
    if window is not None and window.open == opened:
        return window.close
    whole = opened + _length(interval)
    if window is None and not interval.is_intraday:
        window = calendar.bar_at(calendar.next_open(opened) or opened, interval)
        return window.close if window else whole
    return max(whole, window.close) if window else whole


def _length(interval: Interval) -> int:
    return _LONGEST_MONTH if interval is Interval.MONTH else interval.seconds


def _overlapping(times: Floats, interval: Interval, stored: Floats) -> NDArray[np.bool_]:
    """Mask of the bars too near to a stored bar of another time, or to a good bar before."""
    least = nearest_seconds(interval)
    edges = np.concatenate(([-np.inf], stored, [np.inf]))
    index = np.searchsorted(edges, times, "left")
    is_stored = edges[index] == times
    refused = ~is_stored & ((times - edges[index - 1] < least) | (edges[index] - times < least))
    last = -np.inf
    for number, time in enumerate(times.tolist()):
        if not refused[number] and not is_stored[number] and time - last < least:
            refused[number] = True
        elif not refused[number]:
            last = time
    return np.asarray(refused)


def _hiding(times: Floats, interval: Interval, around: Surroundings) -> NDArray[np.bool_]:
    """Mask of the bars that would extend history to the first live bar, or beyond it."""
    if around.live_from is None:
        return np.zeros(len(times), dtype=bool)
    least = 1 if interval.is_intraday else nearest_seconds(interval)
    free_until = around.live_from
    if around.last_time is not None:
        free_until = max(free_until, around.last_time + least)
    return np.asarray(times + least > free_until)
