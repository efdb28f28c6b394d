"""Answers to `GET ohlcv`: from the cache, or from the store and then into the cache."""

from dataclasses import dataclass

from pocketquant import metrics
from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import NotFound
from pocketquant.domain.joining import history_end, join
from pocketquant.domain.symbols import Series
from pocketquant.storage.bars import BarStore
from pocketquant.storage.live_bars import LiveBarStore
from pocketquant.storage.sync_status import SyncStatus, SyncStatuses
from web.encoding import LivePart, encode_ohlcv
from web.response_cache import NearCache


@dataclass(frozen=True, slots=True)
class Window:
    """Which bars of a series: opening in [start, end), the newest or the oldest `limit` of them."""

    start: int | None
    end: int | None
    limit: int
    newest_first: bool

    @property
    def key(self) -> str:
        """The same text for queries that mean the same."""
        return f"{self.start},{self.end},{self.limit},{self.newest_first}"


@dataclass(frozen=True, slots=True)
class OhlcvReader:
    """Encoded answers, ready to send."""

    bars: BarStore
    live_bars: LiveBarStore
    statuses: SyncStatuses
    cache: NearCache

    def cached(self, series: Series, window: Window) -> bytes | None:
        """The answer as it was kept; None where there is none."""
        return self.cache.get(series, window.key)

    def read(self, series: Series, window: Window) -> bytes:
        """The answer from the store, kept for the next time; NotFound for a series never synced."""
        token = self.cache.begin(series)
        status = self.statuses.get(series)
        with metrics.STORE_SECONDS.labels(operation="read").time():
            bars, live = self._bars(series, window, status)
        was_synced = status is not None and status.last_sync_at is not None
        if not (len(bars) or was_synced or self.live_bars.has_any(series)):
            raise NotFound(_why_there_is_nothing(series, status))
        forming = status.forming if status else None
        body = encode_ohlcv(series, bars, window.newest_first, forming, live)
        if token is not None:
            self.cache.put(series, window.key, token, body)
        return body

    def _bars(
        self, series: Series, window: Window, status: SyncStatus | None
    ) -> tuple[Bars, LivePart]:
        """History, and live bars from its end on.

        Read in the opposite order, after the status: what a sync prunes between two reads is then
        found in history, whose end is that of the status or a later one.
        """
        begin = _later(window.start, _end(series, status.last_bar_at if status else None))
        range_end, limit, newest = window.end, window.limit, window.newest_first
        live = self.live_bars.read(series, begin, range_end, limit, newest)
        history = self.bars.read(series, window.start, range_end, limit, newest)
        live = live.between(_end(series, history.last_time), None)
        bars, live_count = join(history, live, limit, newest)
        if not live_count:
            return bars, LivePart()
        told = set(bars.time[-live_count:].tolist())
        partial = [time for time in self.live_bars.partial_times(series) if time in told]
        return bars, LivePart(live_count, tuple(partial))


def _end(series: Series, last_open: int | None) -> int | None:
    return None if last_open is None else history_end(series.interval, last_open)


def _later(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _why_there_is_nothing(series: Series, status: SyncStatus | None) -> str:
    hint = "POST /api/v1/market-data/sync fetches it"
    if status is None:
        return f"{series} was never synced; {hint}"
    last = f", its last attempt failed with {status.error_code}" if status.error_code else ""
    return f"{series} was never synced to its end (it is {status.status}{last}); {hint}"
