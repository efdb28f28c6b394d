"""`Mending`: rebuilds live bars longer than a minute from minutes that a sync has fetched.

A gap in the stream leaves one incomplete bar of each interval. Afterwards only the minutes are
fetched again (`repairs`); partial and missing bars of the longer intraday series are built of them,
by the calendar of their symbol.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.coverage import newest_stretch
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.repairs import longer_bars
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, History
from pocketquant.storage.bars import BarStore
from pocketquant.storage.calendars import CalendarStore
from pocketquant.storage.generations import Generations
from pocketquant.storage.live_bars import LiveBarStore

_LONGER = tuple(each for each in Interval if each.is_intraday and each is not Interval.M1)


@dataclass(frozen=True, slots=True)
class Mending:
    """Rebuilds longer live bars from minutes. Doing it twice changes nothing."""

    bars: BarStore
    live_bars: LiveBarStore
    generations: Generations
    calendars: CalendarStore

    def oldest_partial(self, symbol: Symbol, now: int) -> int | None:
        """Return the open time of the oldest partial bar that minutes can complete, or None.

        Bars older than the minutes of one fetch are left to a sync of their own series.
        """
        reach = now - MAX_BARS * MINUTE
        times = (self.live_bars.partial_times(Series(symbol, each)) for each in _LONGER)
        return min((time for each in times for time in each if time >= reach), default=None)

    def mend(self, symbol: Symbol, minutes: History, oldest: Mapping[Series, int]) -> list[Series]:
        """Rebuild the bars that these minutes cover entirely; return the series that changed.

        `oldest` has the oldest live bar of each series of the symbol. Live bars that open where the
        calendar has no open are removed: it has changed since.
        """
        kept = self.calendars.get(symbol)
        if kept is None or (calendar := kept.calendar) is None:
            return []
        sure = (Series(symbol, each) for each in _LONGER if kept.trouble(each) is None)
        live = [series for series in sure if series in oldest]
        return [each for each in live if self._mend(each, oldest[each], minutes, calendar)]

    def _mend(self, series: Series, oldest: int, minutes: History, calendar: Calendar) -> bool:
        fetched = newest_stretch(minutes, Interval.M1)
        if fetched is None:
            return False
        first, known_until = fetched
        last = self.bars.latest(self.generations.current(series).bars, 1).last_time
        missing_since = oldest if last is None else last + 1
        times = self.live_bars.read(series, first, known_until, None, True).time
        strays = times[~calendar.are_opens(times, series.interval)].tolist()
        stored = set(times.tolist())
        partial = set(self.live_bars.partial_times(series))
        made = [
            bar
            for bar in longer_bars(minutes.closed, series, known_until, calendar)
            if bar.start in partial or (bar.start not in stored and bar.start >= missing_since)
        ]
        if made:
            self.live_bars.mend(made)
        for time in strays:
            self.live_bars.prune(series, time, time + 1)
        return bool(made or strays)
