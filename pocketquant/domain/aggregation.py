"""`BarAggregator`: builds bars of up to four hours from ticks, and days from quotes.

    learn → see → take, report, … → advance → closed bars      lose, when the stream breaks off

A tick changes one minute only. A closing minute is merged into the longer bars that contain it, by
the calendar of its symbol. A quote reports all of its day.
Bars close by the clock: each open bar is scheduled under its closing time, so that `advance` visits
only the bars that close.

Volumes are added as exact decimals and rounded once, to the nearest float. So the volumes of a
day's bars add up, as decimals, to the growth of the day's total.
"""

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush
from math import floor
from typing import NamedTuple

from pocketquant.domain.calendar import Calendar, CalendarTexts
from pocketquant.domain.day_bars import OpenDay, closing_time, has_prices, reported_period
from pocketquant.domain.gaps import Gap
from pocketquant.domain.intervals import DAY, MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.open_bars import (
    LONGER,
    NO_HOURS,
    NO_MINUTE,
    BarsState,
    Hours,
    Longer,
    Minute,
    OpenBars,
)
from pocketquant.domain.quotes import Quote, Tick

GRACE_SECONDS = 2.0

_BEFORE_ALL = -(2.0**53)
_LONGEST_OPEN_SECONDS = DAY  # four hours, with their delay and grace


class BarAggregator:
    """The bars of many symbols. `intervals` and `grace_seconds` may be set at any moment.

    A bar closes `grace_seconds` after its end, for a delayed symbol by its delayed clock. `advance`
    returns it if its interval is one of `intervals`; all are built, so that the bars of an interval
    added later are complete. There are none of weeks and months.

    Ticks of a closed minute are not used but counted: in `missed_ticks` if they were traded while
    the stream was lost, else in `late_ticks`. A late tick makes open bars partial, and `too_late`
    returns its time, so that the caller can mark the closed ones. Ticks that would open a minute
    outside the sessions of the calendar are counted in `out_of_session_ticks`.

    Without a calendar a symbol has minutes alone, at any time.
    """

    def __init__(
        self, intervals: Iterable[Interval] = Interval, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.intervals = tuple(intervals)
        self.grace_seconds = grace_seconds
        self.late_ticks: Counter[str] = Counter()
        self.missed_ticks: Counter[str] = Counter()
        self.out_of_session_ticks: Counter[str] = Counter()
        self._too_late: list[tuple[str, int]] = []
        self._regrouped: list[Regrouped] = []
        self._ended_days: list[LiveBar] = []
        self._hours: dict[str, Hours] = {}  # by symbol, also of symbols that are not seen yet
        self._shared: dict[CalendarTexts, Hours] = {}
        self._bars: dict[str, OpenBars] = {}
        self._newest: dict[str, Minute] = {}  # by symbol; nearly all ticks go there
        self._due: dict[int, _Due] = {}
        self._due_times: list[int] = []  # a heap
        self._horizon = _BEFORE_ALL  # bars due by then are closed

    def learn(self, symbol: str, calendar: Calendar | None, now: float) -> None:
        """Give the symbol its calendar, or another one.

        Another one counts at once while the market is closed or no calendar is known, else from the
        next session on. `regrouped` then returns the time in which bars are partial for it.
        """
        hours = self._hours[symbol] = self._hours_of(calendar)
        bars = self._bars.get(symbol)
        if bars is None:
            return
        bars.next_hours = None if hours is bars.hours else hours
        before, time = bars.hours.calendar, floor(now - bars.delay_seconds)
        if bars.next_hours and (before is None or not before.is_open(time)):
            self._regroup(bars, bars.next_hours)

    def see(self, symbol: str, now: float, delay_seconds: int = 0) -> None:
        """Receive the symbol's ticks from `now` on, `delay_seconds` behind the market.

        Call it before the first tick, and before the first one after a loss; later calls change
        only the delay. Bars that end before `now` count as closed: a first quote often carries an
        old trade, which must not open one.
        """
        self._set_clock(now)
        bars = self._bars.get(symbol)
        if bars is None:
            bars = self._begin(OpenBars(symbol))
            bars.use(self._hours.get(symbol, NO_HOURS))
            bars.delay_seconds = delay_seconds
        elif delay_seconds != bars.delay_seconds:
            bars.closed_until = self._closed_until(bars)
            bars.delay_seconds = delay_seconds
            self._schedule_all(bars)
        seen = now - delay_seconds
        bars.unseen = bars.unseen.found(seen).after(seen - _LONGEST_OPEN_SECONDS)

    def lose(self, now: float, symbols: Iterable[str] | None = None) -> None:
        """Stop receiving the ticks of these symbols, or of all, at `now`.

        Bars that contain any time between `now` and the next `see` are partial, and so is the open
        day until a whole quote reports it.
        """
        for symbol in self._bars if symbols is None else symbols:
            bars = self._bars[symbol]
            bars.unseen = bars.unseen.lost(now - bars.delay_seconds)
            if bars.day is not None:
                bars.day.is_sure = False

    def doubt(self, symbol: str, now: float) -> None:
        """A quote that came at `now` was unreadable: bars that contain this time are partial."""
        bars = self._bars.get(symbol)
        if bars is not None and bars.unseen.lost_at is None:
            self.lose(now - GRACE_SECONDS, [symbol])
            self.see(symbol, now, bars.delay_seconds)

    def mark_minute(self, symbol: str, time: int) -> Gap:
        """Mark the open bars that contain the minute of `time` as partial; return the minute.

        `time` is by the symbol's delayed clock.
        """
        bars = self._bars[symbol]
        start = time - time % MINUTE
        bars.unseen = bars.unseen.lacking(start, start + MINUTE)
        return start, start + MINUTE

    def too_late(self) -> list[tuple[str, int]]:
        """Symbols and times of late ticks since the last call, one for each minute."""
        too_late, self._too_late = self._too_late, []
        return too_late

    def regrouped(self) -> "list[Regrouped]":
        """The symbols whose calendar has changed since the last call."""
        regrouped, self._regrouped = self._regrouped, []
        return regrouped

    def calendar(self, symbol: str) -> Calendar | None:
        """The calendar by which the symbol's bars are built now."""
        return self._bars[symbol].hours.calendar

    def closed_until(self, symbol: str) -> int:
        """The epoch second, by the symbol's clock, up to which all its bars are closed."""
        return self._closed_until(self._bars[symbol])

    def forget(self, symbol: str) -> None:
        """Drop the symbol and its open bars."""
        self._hours.pop(symbol, None)
        bars = self._bars.pop(symbol)
        del self._newest[symbol]
        for bar in (*bars.minutes, *bars.longer, bars.day):
            if bar is not None:
                bar.due = None

    def take(self, ticks: Iterable[Tick]) -> None:
        """Add ticks to their minutes. KeyError if `see` was never called for the symbol."""
        newest = self._newest
        for tick in ticks:
            symbol, time, price, size = tick
            minute = newest[symbol]
            if minute.last_tick_at <= time < minute.end:  # Minute.add, inlined for speed
                if price > minute.high:
                    minute.high = price
                elif price < minute.low:
                    minute.low = price
                minute.close = price
                minute.last_tick_at = time
                minute.tick_count += 1
                if size is not None:
                    volume = minute.volume
                    minute.volume = size if volume is None else volume + size
            else:
                self._take_slowly(tick)

    def report(self, quote: Quote, is_whole: bool) -> None:
        """Note the day that the quote reports; the first quote of another day ends the one before.

        `is_whole`: no change of the quote may be missing. Call it after `see`, once for any number
        of changes, and with the last quote of each session and day.
        """
        bars = self._bars[quote.symbol]
        day = bars.day
        if day is not None and day.is_of(quote):
            day.follow(quote, is_whole)
            return
        calendar = bars.hours.calendar
        if calendar is None or (day is None and not quote.is_trading):
            return
        period = reported_period(quote, calendar)
        if period is not None and day is not None and period == day.period:
            day.follow(quote, is_whole)
        elif period is not None and quote.is_trading and has_prices(quote):
            self._begin_day(bars, OpenDay(period, quote, is_whole, calendar))

    def advance(self, now: float) -> list[LiveBar]:
        """Move the clock to `now`; return the closed bars by closing time, shorter ones first."""
        self._set_clock(now)
        closed, self._ended_days = self._ended_days, []
        while self._due_times and self._due_times[0] <= self._horizon:
            due_time = heappop(self._due_times)
            due = self._due.pop(due_time)
            for bars, minute in due.minutes:
                if minute.due == due_time:
                    self._close_minute(bars, minute, closed)
            for bars, slot, longer in due.longer:
                if longer.due == due_time:
                    self._close_longer(bars, slot, longer, closed)
            for bars, day in due.days:
                if day.due == due_time:
                    self._close_day(bars, day, closed)
        return closed

    def state(self, symbol: str, has_longer: bool = True) -> BarsState:
        """The state of one symbol for `resume`; `put_together` makes the forming bars of it.

        Longer bars change only when a minute closes. Leaving them out costs a fifth.
        """
        bars = self._bars[symbol]
        return bars.state(self._closed_until(bars), has_longer)

    def resume(self, state: BarsState, seen_until: float) -> None:
        """Continue from a state that contains all ticks until `seen_until`.

        The symbol counts as lost from then until the next `see`.
        """
        bars = self._begin(OpenBars.of(state, self._hours.get(state.symbol, NO_HOURS)))
        bars.unseen = bars.unseen.lost(seen_until - bars.delay_seconds)
        if bars.minutes:
            self._newest[bars.symbol] = bars.minutes[-1]
        self._schedule_all(bars)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._bars

    def delay_seconds(self, symbol: str) -> int:
        """How many seconds the symbol's ticks are behind the market."""
        return self._bars[symbol].delay_seconds

    def closing_time(self, bar: LiveBar) -> int:
        """When a bar of a known symbol closes or has closed, without the grace period."""
        bars, end = self._bars[bar.symbol], bar.end
        if bar.interval is Interval.D1:
            end = closing_time((bar.start, bar.end), bars.hours.calendar)
        return end + bars.delay_seconds

    def gaps(self, symbol: str) -> tuple[Gap, ...]:
        """When the symbol's stream was lost, by its own clock, as far as open bars reach back."""
        return self._bars[symbol].unseen.gaps

    def _begin(self, bars: OpenBars) -> OpenBars:
        self._bars[bars.symbol] = bars
        self._newest[bars.symbol] = NO_MINUTE
        return bars

    def _hours_of(self, calendar: Calendar | None) -> Hours:
        if calendar is None:
            return NO_HOURS
        return self._shared.setdefault(calendar.texts, Hours(calendar))

    def _regroup(self, bars: OpenBars, hours: Hours) -> None:
        """Build longer bars by other hours; those of the trading day so far are partial.

        Closed minutes are not used again. The minutes that are open now count by the new hours.
        """
        before = bars.hours.calendar
        until = self._closed_until(bars) // MINUTE * MINUTE
        session = before.latest_session(until) if before else None
        days = before.sessions_of(session.trading_day) if before and session else ()
        since = min(days[0].open, until) if days else min(bars.unseen.seen_since, until)
        bars.use(hours)
        if bars.day is not None and not bars.day.fits(hours.calendar):
            bars.day.due = None
            bars.day = None
        if since < until:
            bars.unseen = bars.unseen.lacking(since, until)
            self._regrouped.append(Regrouped(bars.symbol, (since, until), before))

    def _set_clock(self, now: float) -> None:
        self._horizon = max(self._horizon, now - self.grace_seconds)

    def _take_slowly(self, tick: Tick) -> None:
        """Add a tick that is not the next one of the newest minute."""
        bars = self._bars[tick.symbol]
        start = tick.time - tick.time % MINUTE
        minute = bars.minute_at(start)
        if minute is not None:
            minute.add(tick)
        elif not self._is_in_session(bars, tick.time):
            self.out_of_session_ticks[tick.symbol] += 1
        elif start + MINUTE > self._closed_until(bars):
            self._open_minute(bars, start, tick)
        elif start == bars.late_minute:
            self.late_ticks[tick.symbol] += 1
        elif bars.unseen.touches(tick.time, tick.time + 1):
            self.missed_ticks[tick.symbol] += 1
        else:
            self._take_late(bars, start, tick)

    def _is_in_session(self, bars: OpenBars, time: int) -> bool:
        if bars.session_open <= time < bars.session_close:
            return True
        if bars.next_hours is not None and time >= bars.session_close:
            self._regroup(bars, bars.next_hours)
        return bars.enter_session(time)

    def _take_late(self, bars: OpenBars, start: int, tick: Tick) -> None:
        self.late_ticks[tick.symbol] += 1
        bars.late_minute = start
        self.mark_minute(tick.symbol, tick.time)
        self._too_late.append((tick.symbol, tick.time))

    def _open_minute(self, bars: OpenBars, start: int, tick: Tick) -> None:
        minute = bars.open_minute(start, tick)
        if start > self._newest[bars.symbol].start:
            self._newest[bars.symbol] = minute
        self._due_at(bars, minute).minutes.append((bars, minute))

    def _closed_until(self, bars: OpenBars) -> int:
        return max(bars.closed_until, floor(self._horizon - bars.delay_seconds))

    def _close_minute(self, bars: OpenBars, minute: Minute, closed: list[LiveBar]) -> None:
        minute.due = None
        if Interval.M1 in self.intervals:
            closed.append(bars.minute_bar(minute))
        for slot, longer in bars.merge(minute):
            self._due_at(bars, longer).longer.append((bars, slot, longer))
        if not bars.minutes:
            self._newest[bars.symbol] = NO_MINUTE

    def _close_longer(
        self, bars: OpenBars, slot: int, longer: Longer, closed: list[LiveBar]
    ) -> None:
        longer.due = None
        bars.longer[slot] = None
        if LONGER[slot] in self.intervals:
            closed.append(bars.longer_bar(slot, longer))

    def _begin_day(self, bars: OpenBars, begun: OpenDay) -> None:
        """Replace the open day by this one, unless it is older or has closed."""
        day = bars.day
        if begun.end <= self._closed_until(bars) or (day and begun.period < day.period):
            return
        if day is not None:
            self._close_day(bars, day, self._ended_days)
        bars.day = begun
        self._due_at(bars, begun).days.append((bars, begun))

    def _close_day(self, bars: OpenBars, day: OpenDay, closed: list[LiveBar]) -> None:
        bars.day = day.due = None
        if Interval.D1 in self.intervals:
            closed.append(day.bar())

    def _schedule_all(self, bars: OpenBars) -> None:
        for minute in bars.minutes:
            self._due_at(bars, minute).minutes.append((bars, minute))
        for slot, longer in enumerate(bars.longer):
            if longer is not None:
                self._due_at(bars, longer).longer.append((bars, slot, longer))
        if bars.day is not None:
            self._due_at(bars, bars.day).days.append((bars, bars.day))

    def _due_at(self, bars: OpenBars, bar: Minute | Longer | OpenDay) -> "_Due":
        bar.due = bar.end + bars.delay_seconds
        due = self._due.get(bar.due)
        if due is None:
            due = self._due[bar.due] = _Due()
            heappush(self._due_times, bar.due)
        return due


class Regrouped(NamedTuple):
    """A symbol whose longer bars are built by another calendar since the end of `gap`.

    Those that contain any of the gap are partial; `before` is the calendar until then.
    """

    symbol: str
    gap: Gap
    before: Calendar | None


class _Due:
    """The bars to close at one time: minutes first, since longer bars are made of them.

    Entries are never removed; skip one whose bar was rescheduled or closed.
    """

    __slots__ = ("days", "longer", "minutes")

    def __init__(self) -> None:
        self.minutes: list[tuple[OpenBars, Minute]] = []
        self.longer: list[tuple[OpenBars, int, Longer]] = []
        self.days: list[tuple[OpenBars, OpenDay]] = []
