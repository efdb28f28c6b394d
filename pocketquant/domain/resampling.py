"""Longer bars of shorter ones: minutes of a session, or trading days, weeks and months.

Intraday lengths count from their session's open, by the symbol's calendar. Where no calendar is
known they are aligned to the epoch. Days are never made of hours: auctions are in no minute.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars, Floats
from pocketquant.domain.calendar import BarLength, BarTimes, Calendar, Unit
from pocketquant.domain.errors import InvalidInterval
from pocketquant.domain.intervals import DAY, Interval

CUSTOM_PATTERN = r"[1-9][0-9]{0,3}[mhdwM]"
LONGEST_SECONDS = 7 * DAY

_MOST = {Unit.DAY: 366, Unit.WEEK: 53, Unit.MONTH: 12}
_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31}  # trading days in one of these, at most

Ints = NDArray[np.int64]


def custom_length(text: str) -> BarLength:
    """Read a length such as `10m`, `6h`, `2d` or `3M`; up to a week of hours, up to a year of days.

    Raises InvalidInterval.
    """
    length = BarLength.parse(text)
    if length.seconds > LONGEST_SECONDS:
        raise InvalidInterval(f"interval {text!r} is longer than a week; use days, as 10d")
    if length.count > _MOST.get(length.unit, length.count):
        raise InvalidInterval(f"interval {text!r} is longer than a year")
    return length


@dataclass(frozen=True, slots=True)
class Grid:
    """Where bars of a length open and close; without a calendar they are aligned to the epoch."""

    length: BarLength
    calendar: Calendar | None

    def bars_at(self, times: Ints) -> BarTimes:
        """Return the bar that holds each time; `[time, time)` while the market is closed."""
        if self.calendar is not None:
            return self.calendar.bars_at(times, self.length)
        opens = times - times % self.length.seconds
        return BarTimes(opens, opens + self.length.seconds)

    def are_opens(self, times: Ints) -> NDArray[np.bool_]:
        """Return for each time whether a bar opens then."""
        return self.bars_at(times).open_at(times)

    def latest_bar(self, time: int) -> tuple[int, int]:
        """Return the bar that holds a time or, while the market is closed, the last one before."""
        if self.calendar is not None and not self.calendar.is_open(time):
            session = self.calendar.latest_session(time)
            time = session.close - 1 if session else time
        bar = self.bars_at(np.array([time]))
        return int(bar.opens[0]), int(bar.closes[0])

    def close_of(self, opened: int) -> int:
        """Return when the bar that opened then is over."""
        return int(self.bars_at(np.array([opened])).closes[0])


def sources(length: BarLength) -> list[Interval]:
    """Return the stored intervals that make bars of a length, the longest first."""
    if not length.is_intraday:
        return [Interval.D1]
    fitting = [
        each
        for each in Interval
        if each.is_intraday and each.seconds < length.seconds and length.seconds % each.seconds == 0
    ]
    return fitting[::-1]


def bars_in_one(length: BarLength, source: Interval) -> int:
    """Return how many bars of the source a bar of that length is made of, at most."""
    if length.is_intraday:
        return length.seconds // source.seconds
    return length.count * _DAYS[length.unit]


@dataclass(frozen=True, slots=True)
class Span:
    """A stored interval, the start of its first bar and the end of its last one."""

    interval: Interval
    start: int
    end: int


def covering(spans: Iterable[Span], seconds: int, start: int | None, end: int | None) -> Span:
    """The span that covers most complete bars of `seconds` in the range; needs at least one span.

    Of equal spans the longest interval wins. If none covers a complete bar, the one with most of
    their time wins.
    """
    longest_first = sorted(spans, key=lambda each: -each.interval.seconds)
    bounds = (
        None if start is None else up(start, seconds),
        None if end is None else up(end, seconds),
    )
    for is_whole in (True, False):
        counts = [_covered_seconds(each, seconds, bounds, is_whole) for each in longest_first]
        if any(counts):
            break
    return longest_first[counts.index(max(counts))]


def up(time: int, seconds: int) -> int:
    """The first multiple of `seconds` at or after `time`."""
    return -(-time // seconds) * seconds


def down(time: int, seconds: int) -> int:
    """The last multiple of `seconds` at or before `time`."""
    return time // seconds * seconds


def resample(bars: Bars, opens: Ints) -> Bars:
    """Return the bars that these make; `opens` names for each the bar that it is a part of.

    Open is the first, high the highest, low the lowest, close the last, volume the sum of those
    that have one (NaN if none has).
    """
    if not len(bars):
        return bars
    firsts = np.flatnonzero(np.r_[True, opens[1:] != opens[:-1]])
    lasts = np.r_[firsts[1:], len(bars)] - 1
    return Bars(
        np.array(
            [
                opens[firsts],
                bars.columns[1, firsts],
                np.maximum.reduceat(bars.columns[2], firsts),
                np.minimum.reduceat(bars.columns[3], firsts),
                bars.columns[4, lasts],
                _volumes(bars.columns[5], firsts),
            ]
        )
    )


def touched(bars: BarTimes, stretches: Iterable[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which of these bars, in order, have any of their time in a stretch."""
    is_touched = np.zeros(len(bars), dtype=bool)
    for start, end in stretches:
        low = np.searchsorted(bars.closes, start, "right")
        is_touched[low : np.searchsorted(bars.opens, end, "left")] = True
    return is_touched


def _covered_seconds(
    span: Span, seconds: int, bounds: tuple[int | None, int | None], is_whole: bool
) -> int:
    """How many seconds of closed bars of `seconds` within the bounds lie in the span.

    With `is_whole`, only bars that lie completely in the span count.
    """
    start, end = bounds
    first = up(span.start, seconds) if is_whole else span.start
    low = first if start is None else max(first, start)
    high = down(span.end, seconds) if end is None else min(down(span.end, seconds), end)
    return max(0, high - low)


def _volumes(volume: Floats, firsts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    is_known = ~np.isnan(volume)
    sums = np.add.reduceat(np.where(is_known, volume, 0.0), firsts)
    return np.where(np.logical_or.reduceat(is_known, firsts), sums, np.nan)
