"""Weeks and months made of trading days, by the calendar of their symbol.

Nothing longer than a day is kept of quotes; these bars are made when they are read.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.day_bars import AUCTION_SECONDS
from pocketquant.domain.intervals import Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.periods import Period
from pocketquant.domain.resampling import resample, touched

WEEKS_AND_MONTHS = frozenset({Interval.W1, Interval.MONTH})


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Daily bars of a symbol in order of time, and the open times of the partial ones."""

    bars: Bars
    partial: Collection[int] = ()

    def with_live(self, day: LiveBar) -> "Days":
        """These days and the open one, which is the newest."""
        volume = np.nan if day.volume is None else day.volume
        row = [day.start, day.open, day.high, day.low, day.close, volume]
        partial = [*self.partial, day.start] if day.is_partial else self.partial
        earlier = self.bars.between(None, day.start).columns
        return Days(Bars(np.column_stack([earlier, row])), partial)


@dataclass(frozen=True, slots=True, eq=False)
class Longer:
    """Weeks or months in order of time, when each is over, and which of them are partial."""

    bars: Bars
    ends: NDArray[np.int64]
    is_partial: NDArray[np.bool_]

    def chosen(self, mask: NDArray[np.bool_]) -> "Longer":
        return Longer(Bars(self.bars.columns[:, mask]), self.ends[mask], self.is_partial[mask])


def made_of(days: Days, interval: Interval, calendar: Calendar, until: int) -> Longer:
    """The weeks or months of one day at least.

    One is partial if a day of it is, or is missing; days that open from `until` on are not.
    """
    parts = calendar.bars_at(days.bars.time, interval)
    is_known = parts.exist
    bars = resample(Bars(days.bars.columns[:, is_known]), parts.opens[is_known])
    windows = calendar.bars_at(bars.time, interval)
    expected = calendar.opens(Interval.D1, int(min(bars.time, default=until)), until)
    lacking = [*np.setdiff1d(expected, days.bars.time).tolist(), *days.partial]
    return Longer(bars, windows.closes, touched(windows, ((each, each + 1) for each in lacking)))


def closed_of(days: Days, interval: Interval, calendar: Calendar) -> Longer:
    """The weeks or months that are over with the last of these days."""
    newest = days.bars.last_time
    made = made_of(days, interval, calendar, newest + 1 if newest is not None else 0)
    last = calendar.bar_at(newest, Interval.D1) if newest is not None else None
    return made.chosen(made.ends <= (last.close if last else 0))


def forming_of(
    symbol: str, period: Period, days: Days, interval: Interval, calendar: Calendar, now: int
) -> LiveBar | None:
    """The week or month that these days of its period make so far; None without any.

    `now` is by the symbol's clock; a day is missing once it should have closed.
    """
    start, _ = period
    bars = calendar.bars(Interval.D1, start, now)
    over = bars.opens[bars.closes + AUCTION_SECONDS < now]
    made = made_of(days, interval, calendar, int(over[-1]) + 1 if len(over) else start)
    if not len(made.bars):
        return None
    _, opened, high, low, close, volume = made.bars.columns[:, -1].tolist()
    return LiveBar.reported(
        (symbol, interval),
        period,
        (opened, high, low, close),
        None if isnan(volume) else volume,
        is_partial=bool(made.is_partial[-1]),
        last_at=int(days.bars.time[-1]),
    )
