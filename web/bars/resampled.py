"""Bars of a length that is not stored, made of shorter ones that are.

choose     the stored interval that covers the range: the same one for all its pages
read       a bounded number of its bars, and a neighbour on each side of the page
make       the closed bars; those whose time the source does not wholly cover are partial
"""

from dataclasses import dataclass

import numpy as np

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.errors import InvalidRequest, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.joining import (
    Joined,
    Stretch,
    live_stretches,
    newest_live_count,
    unseen_between,
)
from pocketquant.domain.resampling import (
    Span,
    covering,
    down,
    is_aligned,
    resample,
    sources,
    touched,
    up,
)
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.sync_status import StatusFilter, SyncStatuses
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
class Resampler:
    """Chooses the stored interval that covers the range, and reads a bounded number of its bars."""

    stored: StoredBars
    statuses: SyncStatuses

    def read(self, symbol: Symbol, seconds: int, window: Window) -> Resampled:
        """The bars of the window; NotFound where nothing stored makes such bars."""
        spans = self._spans(symbol, seconds)
        if not spans:
            return Resampled(Found(Bars.empty()), self._synced_without_bars(symbol, seconds))
        span = covering(spans, seconds, *window.asked)
        ratio = seconds // span.interval.seconds
        if (window.limit + _EDGES) * ratio > MOST_SOURCE_BARS:
            raise InvalidRequest(
                f"limit: {window.limit} bars are made of more than {MOST_SOURCE_BARS} stored ones"
                f" ({span.interval.value}); ask for {MOST_SOURCE_BARS // ratio - _EDGES} at a time,"
                " or sync a longer interval"
            )
        made = self._read(Series(symbol, span.interval), seconds, _closed(window, span, seconds))
        return Resampled(made, span.interval)

    def _spans(self, symbol: Symbol, seconds: int) -> list[Span]:
        """What is stored of the intervals that fit."""
        spans = []
        for interval in sources(seconds, Interval):
            edges = self.stored.chunk_edges(Series(symbol, interval))
            if len(edges) and is_aligned(edges, interval.seconds):
                end = int(edges.max()) + interval.seconds
                spans.append(Span(interval, int(edges.min()), end))
        return spans

    def _synced_without_bars(self, symbol: Symbol, seconds: int) -> Interval:
        """The longest fitting interval of a listing that never traded; else NotFound."""
        wanted = StatusFilter(symbol.exchange, symbol.ticker)
        statuses, _count = self.statuses.page(wanted, 0, len(Interval))
        empty = {
            each.series.interval
            for each in statuses
            if each.last_sync_at is not None and not each.bar_count
        }
        for interval in sources(seconds, Interval):
            if interval in empty:
                return interval
        raise NotFound(_what_to_sync(symbol, seconds))

    def _read(self, series: Series, seconds: int, window: Window) -> Found:
        """Reads on beyond the far end of the window, so that the next bar there is known too."""
        limit = (window.limit + _EDGES) * (seconds // series.interval.seconds)
        newest = window.newest_first
        start, end = (None, window.end) if newest else (window.start, None)
        joined, partial = self.stored.joined(series, Window(start, end, limit, newest))
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
        unseen = [(time, time + step) for time in (*partial, *times[times % step != 0].tolist())]
        unseen += unseen_between(around, series.interval)
        if has_first and len(around):
            unseen.append((_LONG_AGO, int(around.bars.time[0])))
        return _made(joined, unseen, seconds, window, is_cut=len(joined) == limit)


def _made(
    joined: Joined, unseen: list[Stretch], seconds: int, window: Window, *, is_cut: bool
) -> Found:
    """The wanted ones of the bars that these make; the limit may have cut the farthest one."""
    newest = window.newest_first
    bars = resample(joined.bars, seconds)
    if is_cut:
        bars = Bars(bars.columns[:, 1:] if newest else bars.columns[:, :-1])
    bars = bars.between(window.start, window.end)
    told = bars.last(window.limit) if newest else bars.first(window.limit)
    if not len(told):
        return Found(told)
    live_times = joined.bars.time[joined.is_live]
    is_live = np.isin(told.time, live_times - live_times % seconds)
    partial = told.time[touched(told.time, seconds, unseen)].tolist()
    stretches = tuple(live_stretches(told.time, is_live))
    live = LivePart(newest_live_count(is_live), tuple(partial), stretches)
    place = int(told.time[0]) if newest else int(told.time[-1]) + 1
    return Found(told, live, place if len(bars) > len(told) else None)


def _follow(first: Joined, second: Joined) -> Joined:
    bars = concatenate([first.bars, second.bars])
    return Joined(bars, np.concatenate([first.is_live, second.is_live]))


def _closed(window: Window, span: Span, seconds: int) -> Window:
    """The window from whole bar to whole bar, up to the last one that is closed."""
    start = None if window.start is None else up(window.start, seconds)
    end = down(span.end, seconds)
    if window.end is not None:
        end = min(end, up(window.end, seconds))
    return Window(start, end, window.limit, window.newest_first)


def _what_to_sync(symbol: Symbol, seconds: int) -> str:
    names = " or ".join(each.value for each in sources(seconds, Interval))
    return (
        f"{symbol} has no bars that bars of {seconds // 60} min can be made of;"
        f" POST /api/v1/market-data/sync fetches {names or 'no interval that divides them'}"
    )
