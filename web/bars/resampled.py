"""Bars of a length that is not stored, made of shorter ones that are.

choose     the stored interval that covers the range: the same one for all its pages
read       a bounded number of its bars, and a neighbour on each side of the page
make       the closed bars; those whose time the source does not wholly cover are partial
"""

from dataclasses import dataclass, replace

import numpy as np

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.calendar import BarLength, Calendar
from pocketquant.domain.errors import InvalidRequest, NotFound
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.joining import (
    Joined,
    Stretch,
    live_stretches,
    newest_live_count,
    unseen_between,
)
from pocketquant.domain.resampling import (
    Grid,
    Span,
    bars_in_one,
    covering,
    resample,
    sources,
    touched,
)
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.calendars import CachedCalendars
from pocketquant.storage.sync_status import StatusFilter, SyncStatuses
from web.bars.past_bars import PastStoredBars
from web.bars.stored_bars import Found, StoredBars, Window
from web.encoding import LivePart

MOST_SOURCE_BARS = 250_000

_EDGES = 2  # the bar that the limit may have cut, and one that tells whether there are more
_LONG_AGO = -(2**53)


@dataclass(frozen=True, slots=True)
class Resampled:
    """The closed bars, and the interval they were made of."""

    found: Found
    source: Interval


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored series that bars come from, and the range of it that makes them."""

    series: Series
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Resampler:
    """Chooses the stored interval that covers the range, and reads a bounded number of its bars."""

    stored: StoredBars | PastStoredBars
    statuses: SyncStatuses
    calendars: CachedCalendars

    def read(self, symbol: Symbol, length: BarLength, window: Window) -> Resampled:
        """Return the bars of the window; raise NotFound if nothing stored makes such bars."""
        grid = Grid(length, self._calendar(symbol, length))
        span = self._span(symbol, grid, window)
        if span is None:
            return Resampled(Found(Bars.empty()), self._synced_without_bars(symbol, length))
        ratio = bars_in_one(length, span.interval)
        if (window.limit + _EDGES) * ratio > MOST_SOURCE_BARS:
            raise InvalidRequest(
                f"limit: {window.limit} bars are made of more than {MOST_SOURCE_BARS} stored ones"
                f" ({span.interval.value}); ask for {MOST_SOURCE_BARS // ratio - _EDGES} at a time,"
                " or sync a longer interval"
            )
        source = Grid(BarLength.of(span.interval), grid.calendar)
        made = self._read(Series(symbol, span.interval), grid, source, _closed(window, span, grid))
        return Resampled(made, span.interval)

    def origin(self, symbol: Symbol, length: BarLength, window: Window) -> Origin:
        """Return what makes the bars of all pages of the window; raise errors as `read`."""
        grid = Grid(length, self._calendar(symbol, length))
        span = self._span(symbol, grid, window)
        start, end = window.whole_range
        if span is None:
            return Origin(Series(symbol, self._synced_without_bars(symbol, length)), start, end)
        whole = _closed(replace(window, start=start, end=end), span, grid)
        if whole.start is None or whole.end is None or whole.start < whole.end:
            start, end = whole.start, whole.end
        return Origin(Series(symbol, span.interval), start, end)

    def _calendar(self, symbol: Symbol, length: BarLength) -> Calendar | None:
        """Return the symbol's calendar; raise an error if such bars can't be made with it."""
        calendar = self.calendars.calendar(symbol)
        if calendar is None and not length.is_intraday:
            raise NotFound(f"the hours of {symbol} are not known; sync it first")
        if calendar is not None and not calendar.is_continuous and length.seconds >= DAY:
            raise InvalidRequest(
                "interval: days are not made of hours: auctions are in no hour; ask for 1d or 2d"
            )
        return calendar

    def _span(self, symbol: Symbol, made: Grid, window: Window) -> Span | None:
        """Return the stored series that covers the window best, if any lies on its grid."""
        spans = []
        for interval in sources(made.length):
            edges = self.stored.chunk_edges(Series(symbol, interval))
            grid = Grid(BarLength.of(interval), made.calendar)
            if len(edges) and grid.are_opens(edges).all():
                end = grid.close_of(int(edges.max()))
                spans.append(Span(interval, int(edges.min()), end))
        if len(spans) < 2:  # so it is for days and longer, whose `seconds` are 0
            return next(iter(spans), None)
        return covering(spans, made.length.seconds, *window.whole_range)

    def _synced_without_bars(self, symbol: Symbol, length: BarLength) -> Interval:
        """Return the longest fitting interval of a symbol that never traded, or raise NotFound."""
        wanted = StatusFilter(symbol.exchange, symbol.name)
        statuses, _count = self.statuses.page(wanted, 0, len(Interval))
        empty = {
            each.series.interval
            for each in statuses
            if each.last_sync_at is not None and not each.bar_count
        }
        for interval in sources(length):
            if interval in empty:
                return interval
        raise NotFound(_what_to_sync(symbol, length))

    def _read(self, series: Series, grid: Grid, source: Grid, window: Window) -> Found:
        """Read on beyond the far end of the window, so that the next bar there is known too."""
        limit = (window.limit + _EDGES) * bars_in_one(grid.length, series.interval)
        newest = window.newest_first
        start, end = (None, window.end) if newest else (window.start, None)
        wanted = Window(start, end, limit, newest, generation=window.generation)
        joined, partial, generation = self.stored.joined(series, wanted)
        has_first = start is None and not (newest and len(joined) == limit)
        if not newest and start is not None:
            before = self.stored.joined(series, Window(None, start, 1, newest_first=True))[0]
            has_first = not len(before)
            around = _follow(before, joined)
        elif newest:
            after = self.stored.joined(series, Window(end, None, 1, newest_first=False))[0]
            around = _follow(joined, after)
        else:
            around = joined
        step, times = series.interval.seconds, joined.bars.time
        strange = times[~source.are_opens(times)].tolist()
        unseen = [(time, time + step) for time in (*partial, *strange)]
        unseen += unseen_between(around, series.interval, source.calendar)
        if has_first and len(around):
            unseen.append((_LONG_AGO, int(around.bars.time[0])))
        found = _made(joined, unseen, grid, window, is_cut=len(joined) == limit)
        return replace(found, generation=generation)


def _made(
    joined: Joined, unseen: list[Stretch], grid: Grid, window: Window, *, is_cut: bool
) -> Found:
    """Return the wanted bars that these make; the limit may have cut the farthest one."""
    newest = window.newest_first
    parts = grid.bars_at(joined.bars.time)
    is_open = parts.exist  # a bar out of session is a part of none
    opens = parts.opens[is_open]
    bars = resample(Bars(joined.bars.columns[:, is_open]), opens)
    if is_cut:
        bars = Bars(bars.columns[:, 1:] if newest else bars.columns[:, :-1])
    bars = bars.between(window.start, window.end)
    wanted = bars.last(window.limit) if newest else bars.first(window.limit)
    if not len(wanted):
        return Found(wanted)
    is_live = np.isin(wanted.time, opens[joined.is_live[is_open]])
    partial = wanted.time[touched(grid.bars_at(wanted.time), unseen)].tolist()
    stretches = tuple(live_stretches(wanted.time, is_live))
    live = LivePart(newest_live_count(is_live), tuple(partial), stretches)
    cursor = int(wanted.time[0]) if newest else int(wanted.time[-1]) + 1
    return Found(wanted, live, cursor if len(bars) > len(wanted) else None)


def _follow(first: Joined, second: Joined) -> Joined:
    bars = concatenate([first.bars, second.bars])
    return Joined(bars, np.concatenate([first.is_live, second.is_live]))


def _closed(window: Window, span: Span, grid: Grid) -> Window:
    """Return the window from whole bar to whole bar, up to the last one that is closed."""
    until = span.end if window.end is None else min(window.end, span.end)
    opened, closed = grid.latest_bar(until - 1)
    end = max(closed, until) if closed <= span.end else opened
    start = window.start
    if start is not None:
        held = grid.bars_at(np.array([start]))
        if held.opens[0] < start:
            start = int(held.closes[0])
    return replace(window, start=start, end=end)


def _what_to_sync(symbol: Symbol, length: BarLength) -> str:
    names = " or ".join(each.value for each in sources(length))
    return (
        f"{symbol} has no bars that bars of {length.count} {length.unit.name.lower()}s can be made"
        f" of; POST /api/v1/market-data/sync fetches {names or 'no interval that divides them'}"
    )
