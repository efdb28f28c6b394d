"""Bars of a length that is not stored, made of shorter ones that are."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import InvalidRequest, NotFound
from pocketquant.domain.intervals import Interval
from pocketquant.domain.resampling import is_aligned, resample, sources
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.sync_status import SyncStatus, SyncStatuses, WantedStatuses
from web.bars.stored_bars import Found, StoredBars, Window

MOST_SOURCE_BARS = 250_000

_EDGES = 3  # the oldest bar, which the limit may have cut; the one that is not closed; one more


@dataclass(frozen=True, slots=True)
class Resampled:
    """The closed bars, and the interval they were made of."""

    found: Found
    source: Interval


@dataclass(frozen=True, slots=True)
class Resampler:
    """Chooses the longest stored interval whose bars fit, and reads a bounded number of them."""

    stored: StoredBars
    statuses: SyncStatuses

    def read(self, symbol: Symbol, seconds: int, window: Window) -> Resampled:
        """The bars of the window; NotFound where nothing stored makes such bars."""
        for series, status in self._candidates(symbol, seconds):
            source = self._source(series, seconds, window, status)
            if is_aligned(source, series.interval.seconds):
                return Resampled(_cut(source, series, seconds, window), series.interval)
        raise NotFound(_what_to_sync(symbol, seconds))

    def _candidates(
        self, symbol: Symbol, seconds: int
    ) -> Sequence[tuple[Series, SyncStatus | None]]:
        found, _count = self.statuses.page(
            WantedStatuses(symbol.exchange, symbol.ticker), 0, len(Interval)
        )
        known = {each.series.interval: each for each in found}
        return [
            (Series(symbol, interval), known.get(interval))
            for interval in sources(seconds, Interval)
            if _was_synced(known.get(interval)) or self.stored.has_any(Series(symbol, interval))
        ]

    def _source(
        self, series: Series, seconds: int, window: Window, status: SyncStatus | None
    ) -> Bars:
        limit = (window.limit + _EDGES) * (seconds // series.interval.seconds)
        if limit > MOST_SOURCE_BARS:
            most = MOST_SOURCE_BARS * series.interval.seconds // seconds - _EDGES
            raise InvalidRequest(
                f"limit: {window.limit} bars are made of more than {MOST_SOURCE_BARS} stored ones"
                f" ({series.interval.value}); ask for {most} at a time, or sync a longer interval"
            )
        start, end = _up(window.start, seconds), _up(window.end, seconds)
        wider = Window(start, end, limit, window.newest_first)
        return self.stored.read(series, wider, status).bars


def _cut(source: Bars, series: Series, seconds: int, window: Window) -> Found:
    """The wanted ones of the bars that these make."""
    step = series.interval.seconds
    bars = resample(source, step, seconds)
    if not window.newest_first:
        told = bars.first(window.limit)
        is_cut = len(bars) > len(told) > 0
        return Found(told, next_place=int(told.time[-1]) + 1 if is_cut else None)
    if len(source) == (window.limit + _EDGES) * (seconds // step):
        bars = Bars(bars.columns[:, 1:])  # the limit may have cut into the oldest one
    told = bars.last(window.limit)
    is_cut = len(bars) > len(told) > 0
    return Found(told, next_place=int(told.time[0]) if is_cut else None)


def _up(time: int | None, seconds: int) -> int | None:
    return None if time is None else -(-time // seconds) * seconds


def _was_synced(status: SyncStatus | None) -> bool:
    return status is not None and status.last_sync_at is not None


def _what_to_sync(symbol: Symbol, seconds: int) -> str:
    names = " or ".join(each.value for each in sources(seconds, Interval))
    return (
        f"{symbol} has no bars that bars of {seconds // 60} min can be made of;"
        f" POST /api/v1/market-data/sync fetches {names or 'no interval that divides them'}"
    )
