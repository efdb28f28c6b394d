"""`CurrentBars`: the forming bar of a symbol at any interval.

Bars up to a day are on the quote board. Weeks and months are made of stored days and the day there.
"""

from dataclasses import dataclass

from pocketquant.cache.board import CurrentBar, QuoteBoard
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.day_bars import closing_time
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.weeks import WEEKS_AND_MONTHS, forming_of
from pocketquant.live.shown_bars import ShownLiveBars
from pocketquant.storage.calendars import CachedCalendars, why_withheld


@dataclass(frozen=True, slots=True)
class CurrentBars:
    """Forming bars; the drivers' errors pass through."""

    board: QuoteBoard
    shown: ShownLiveBars
    calendars: CachedCalendars

    def get(self, series: Series, now: float) -> CurrentBar | None:
        """The forming bar; None where there is none, or where it is withheld."""
        if self.why_withheld(series) is not None:
            return None
        calendar = self.calendars.calendar(series.symbol)
        if calendar is not None and series.interval in WEEKS_AND_MONTHS:
            return self._of_days(series, calendar, int(now))
        return self.board.current_bar(str(series.symbol), series.interval, now, calendar)

    def why_withheld(self, series: Series) -> str | None:
        """Why the symbol's calendar is not sure enough for such bars; None if it is."""
        kept = self.calendars.get(series.symbol)
        is_of_days = series.interval in WEEKS_AND_MONTHS
        needed = (series.interval, Interval.D1) if is_of_days else (series.interval,)
        reasons = (why_withheld(kept, each) for each in needed)
        return next((each for each in reasons if each is not None), None)

    def _of_days(self, series: Series, calendar: Calendar, now: int) -> CurrentBar | None:
        symbol = str(series.symbol)
        day = self.board.current_bar(symbol, Interval.D1, now, calendar)
        if day is None and self.board.latest(symbol) is None:
            return None
        newest = calendar.latest_session(day.bar.start if day else now)
        window = newest and calendar.bar_of_day(newest.trading_day, series.interval)
        if not window:
            return None
        days = self.shown.joined_days(series.symbol, window.open, window.close)
        if day is not None and day.bar.start not in days.bars.time:
            days = days.with_live(day.bar)
        period = window.open, window.close
        bar = forming_of(symbol, period, days, series.interval, calendar, now)
        end = closing_time(period, calendar)
        if day is not None:
            end += day.ends_at - closing_time((day.bar.start, day.bar.end), calendar)
        if bar is None or end <= now:
            return None
        last = calendar.bar_at(bar.last_tick_at, Interval.D1)
        return CurrentBar(bar, day.as_of if day else min(now, last.close if last else now), end)
