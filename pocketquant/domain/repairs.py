"""`Repairs`: which series to sync after a gap in their stream, when, and with which requests.

A gap touches every bar that contains any of its time. Such a bar is partial, or missing if all its
trades fell into the gap. So a series is due when its last touched bar has closed, even if there is
no such bar. A day is touched only if it closed as partial, or if all of it fell into the gap.

One sync of a symbol's minutes repairs all its intraday series, since longer bars are made of
minutes (`longer_bars`). So each symbol is synced at most once in five minutes.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from pocketquant.domain.bars import Bars
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.gaps import Gap
from pocketquant.domain.intervals import MINUTE, Interval
from pocketquant.domain.live_bars import LiveBar, put_together
from pocketquant.domain.periods import Period, last_day_within, last_period, period
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import MAX_BARS, SyncRequest

_FEWEST_BARS = 10
_HELD_UP_SECONDS = 15 * MINUTE
_EXTRA_BARS = 2  # the forming one, and one for the remainder of the division
_PAUSE_SECONDS = 5 * MINUTE  # between two repairs of a symbol
_ALWAYS = -(2**53)


@dataclass(slots=True)
class Repairs:
    """Repairs of series of these intervals, due `wait_seconds` after the last touched bar's end.

    A symbol that was repaired less than five minutes ago waits until they have passed.
    """

    intervals: tuple[Interval, ...]
    wait_seconds: float
    _due: dict[float, dict[Series, int]] = field(default_factory=dict)
    _due_times: list[float] = field(default_factory=list)  # a heap
    _repaired_at: dict[Symbol, float] = field(default_factory=dict)
    _without_hours: set[Symbol] = field(default_factory=set)
    _at_once: dict[Series, int] = field(default_factory=dict)

    def note(
        self,
        symbol: str,
        gaps: Iterable[Gap],
        calendar: Calendar | None,
        delay_seconds: int = 0,
        is_restart: bool = False,
    ) -> None:
        """Note gaps of a symbol's stream, in order, by its own delayed clock.

        Repairs that were due before the last gap have been submitted. A streamer that restarts may
        have missed some: those due within 15 minutes before the gap are noted again. Without a
        calendar minutes alone are synced, which brings the calendar too: for the first time at
        once.
        """
        parsed, wait = Symbol.parse(symbol), self.wait_seconds + delay_seconds
        gaps = tuple(gaps)
        if calendar is None and gaps and parsed not in self._without_hours:
            self._without_hours.add(parsed)
            self._at_once[Series(parsed, Interval.M1)] = gaps[-1][1]
        noted_before = gaps[-1][0] - (_HELD_UP_SECONDS if is_restart else 0) if gaps else 0
        for start, end in gaps:
            for interval in self.intervals if calendar else (Interval.M1,):
                last = _last_touched(calendar, interval, start, end)
                if last is not None and last[1] + wait >= noted_before:
                    since = _since(calendar, interval, start)
                    self._add(last[1] + wait, Series(parsed, interval), since)

    def note_day(self, day: LiveBar, now: float) -> None:
        """Note a day that has closed as partial."""
        self._add(now + self.wait_seconds, day.series, day.start)

    def due(self, now: float) -> dict[Series, int]:
        """The series due by `now`, with the start of the first gap of each; returned once."""
        lately = now - _PAUSE_SECONDS
        self._repaired_at = {
            symbol: time for symbol, time in self._repaired_at.items() if time > lately
        }
        found: dict[Series, int] = {}
        while self._due_times and self._due_times[0] <= now:
            for series, since in self._due.pop(heappop(self._due_times)).items():
                repaired_at = self._repaired_at.get(series.symbol)
                if repaired_at is not None:
                    self._add(repaired_at + _PAUSE_SECONDS, series, since)
                else:
                    found[series] = min(since, found.get(series, since))
        self._repaired_at |= dict.fromkeys((series.symbol for series in found), now)
        found, self._at_once = self._at_once | found, {}
        return found

    def _add(self, due: float, series: Series, since: int) -> None:
        if due not in self._due:
            self._due[due] = {}
            heappush(self._due_times, due)
        at_that_time = self._due[due]
        at_that_time[series] = min(since, at_that_time.get(series, since))


def repairing(gaps: Mapping[Series, int], now: float) -> list[SyncRequest]:
    """The syncs that fetch the bars of these series since the given times.

    The intraday series of a symbol share one sync of minutes; a series has its own only if minutes
    do not reach back far enough. A new stream gets only its newest bars: users request older ones.
    """
    minutes: dict[Symbol, int] = {}
    others: list[SyncRequest] = []
    for series, since in gaps.items():
        is_of_minutes = series.interval.is_intraday
        wanted = _minutes(series.interval, since, now)
        if is_of_minutes:
            minutes[series.symbol] = max(wanted, minutes.get(series.symbol, 0))
        if series.interval is not Interval.M1 and (not is_of_minutes or wanted > MAX_BARS):
            others.append(SyncRequest(series, min(_bars(series.interval, since, now), MAX_BARS)))
    of_minutes = [
        SyncRequest(Series(symbol, Interval.M1), min(n_bars, MAX_BARS))
        for symbol, n_bars in minutes.items()
    ]
    return of_minutes + others


def longer_bars(
    minutes: Bars, series: Series, known_until: int, calendar: Calendar
) -> list[LiveBar]:
    """The bars of an intraday series, made of the minutes in session; none is partial.

    `minutes` must be complete from the first one until `known_until`.
    """
    periods: dict[int, list[LiveBar]] = {}
    bars = calendar.bars_at(minutes.time, series.interval)
    is_open = bars.exist
    rows = minutes.columns[:, is_open].T.tolist()
    for start, row in zip(bars.opens[is_open].tolist(), rows, strict=True):
        periods.setdefault(start, []).append(_minute(str(series.symbol), row))
    made = (
        put_together(series.interval, parts, _ALWAYS, calendar)
        for start, parts in periods.items()
        if minutes.first_time is not None and start >= minutes.first_time
    )
    return [bar for bar in made if bar is not None and bar.end <= known_until]


def _last_touched(
    calendar: Calendar | None, interval: Interval, start: int, end: int
) -> Period | None:
    """The last bar that a gap makes partial or missing; a new stream lacks no day."""
    if interval.is_intraday:
        return last_period(calendar, interval, start, end)
    if calendar is None or interval is not Interval.D1 or start < 0:
        return None
    return last_day_within(calendar, start, end)


def _since(calendar: Calendar | None, interval: Interval, start: int) -> int:
    """The start of a gap, or the open of its first bar if that began before the bar of UTC."""
    first = period(calendar, interval, start) if start >= 0 else None
    return first[0] if first and first[0] < interval.period_start(start) else start


def _minutes(interval: Interval, since: int, now: float) -> int:
    """The number of minutes since the start of the first touched bar."""
    if interval is Interval.M1:
        return _bars(interval, since, now)
    late = interval.seconds + _HELD_UP_SECONDS + _PAUSE_SECONDS
    start = now - late if since < 0 else interval.period_start(since)
    return int(now - start) // MINUTE + _EXTRA_BARS


def _bars(interval: Interval, since: int, now: float) -> int:
    if since < 0:
        return _FEWEST_BARS
    return max(int(now - since) // interval.seconds + _EXTRA_BARS, _FEWEST_BARS)


def _minute(symbol: str, row: list[float]) -> LiveBar:
    time, volume = int(row[0]), None if math.isnan(row[5]) else row[5]
    return LiveBar(
        symbol=symbol,
        interval=Interval.M1,
        start=time,
        end=time + MINUTE,
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=volume,
        tick_count=1,
        is_partial=False,
        first_tick_at=time,
        last_tick_at=time,
    )
