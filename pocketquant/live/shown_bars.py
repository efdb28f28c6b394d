"""`ShownLiveBars`: the closed live bars of a series, as readers get them.

Minutes to four hours are shown as they are stored. A day is shown where the calendar of its symbol
has one: an earlier version stored days of UTC, and hours may have changed since. Weeks and months
are made of days, after the last one of history.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import join
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.weeks import WEEKS_AND_MONTHS, Days, Longer, closed_of
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CachedCalendars
from pocketquant.storage.generations import Generations
from pocketquant.storage.live_bars import LiveBarStore


@dataclass(frozen=True, slots=True)
class ShownLiveBars:
    """Live bars beside those of history; the drivers' errors pass through."""

    bars: BarStore
    live_bars: LiveBarStore
    generations: Generations
    calendars: CachedCalendars

    def read(
        self, series: Series, start: int | None, end: int | None, limit: int | None, newest: bool
    ) -> Bars:
        """Return bars from `start` to before `end`, at most `limit`: the newest or the oldest."""
        if series.interval.is_intraday:
            return self.live_bars.read(series, start, end, limit, newest)
        if series.interval in WEEKS_AND_MONTHS:
            found = self._made(series).bars.between(start, end)
        else:
            found = self._days(series.symbol, start, end)
        if limit is None:
            return found
        return found.last(limit) if newest else found.first(limit)

    def partial_times(self, series: Series) -> list[int]:
        """Return the open times of the partial bars, in order."""
        if series.interval not in WEEKS_AND_MONTHS:
            return self.live_bars.partial_times(series)
        made = self._made(series)
        times: list[int] = made.bars.time[made.is_partial].tolist()
        return times

    def first_time(self, series: Series) -> int | None:
        """Return the open time of the oldest bar, or None; a week opens after those of history."""
        if series.interval not in WEEKS_AND_MONTHS:
            return self.live_bars.first_time(series)
        last = self._last_time(series)
        return None if last is None else last + 1

    def has_any(self, series: Series) -> bool:
        """Return whether there is any bar of the series; without history there is no week."""
        if series.interval in WEEKS_AND_MONTHS:
            return False
        return self.first_time(series) is not None

    def chunk_edges(self, series: Series) -> NDArray[np.int64]:
        """Return the first and last open time of each chunk in order; days are as one."""
        if series.interval.is_intraday:
            return self.live_bars.chunk_edges(series)
        days = self._days(series.symbol, None, None).time
        return days[[0, -1]] if len(days) else days

    def joined_days(self, symbol: Symbol, start: int | None, end: int | None) -> Days:
        """Return the daily bars of a symbol, those of history and live ones."""
        series = Series(symbol, Interval.D1)
        days = self._days(symbol, start, end)  # before history, which takes them over
        current = self.generations.current(series)
        joined = join(self.bars.read(current.bars, start, end), current.live(days))
        live = set(joined.bars.time[joined.is_live].tolist())
        partial = live.intersection(self.live_bars.partial_times(series)) if live else live
        return Days(joined.bars, partial)

    def _days(self, symbol: Symbol, start: int | None, end: int | None) -> Bars:
        """Return the live days that lie where the calendar has them."""
        calendar = self._calendar(symbol, Interval.D1)
        days = self.live_bars.read(Series(symbol, Interval.D1), start, end, None, newest=True)
        if calendar is None or not len(days):
            return Bars.empty()
        return Bars(days.columns[:, calendar.are_opens(days.time, Interval.D1)])

    def _made(self, series: Series) -> Longer:
        """Return the closed weeks or months after those of history."""
        calendar = self._calendar(series.symbol, series.interval, Interval.D1)
        last = self._last_time(series)
        window = calendar.bar_at(last, series.interval) if calendar and last is not None else None
        if calendar is None or window is None:
            return Longer(Bars.empty(), np.empty(0, np.int64), np.empty(0, np.bool_))
        days = self.joined_days(series.symbol, window.close, None)
        return closed_of(days, series.interval, calendar)

    def _last_time(self, series: Series) -> int | None:
        """Return when the last bar of history opened."""
        return self.bars.latest(self.generations.current(series).bars, 1).last_time

    def _calendar(self, symbol: Symbol, *intervals: Interval) -> Calendar | None:
        """Return the calendar of a symbol, if it is known and not doubtful at these intervals."""
        kept = self.calendars.get(symbol)
        if kept is None or any(kept.trouble(each) is not None for each in intervals):
            return None
        return kept.calendar
