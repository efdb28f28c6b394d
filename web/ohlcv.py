"""Answers to `GET ohlcv`: from the cache, or from the store and then into the cache."""

from dataclasses import dataclass

from pocketquant import metrics
from pocketquant.domain.errors import NotFound
from pocketquant.domain.symbols import Series
from pocketquant.storage.bars import BarStore
from pocketquant.storage.sync_status import SyncStatus, SyncStatuses
from web.encoding import encode_ohlcv
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
    statuses: SyncStatuses
    cache: NearCache

    def cached(self, series: Series, window: Window) -> bytes | None:
        """The answer as it was kept; None where there is none."""
        return self.cache.get(series, window.key)

    def read(self, series: Series, window: Window) -> bytes:
        """The answer from the store, kept for the next time; NotFound for a series never synced."""
        token = self.cache.begin(series)
        with metrics.STORE_SECONDS.labels(operation="read").time():
            bars = self.bars.read(
                series, window.start, window.end, window.limit, newest=window.newest_first
            )
        status = self.statuses.get(series)
        if not len(bars) and (status is None or status.last_sync_at is None):
            raise NotFound(_why_there_is_nothing(series, status))
        forming = status.forming if status else None
        body = encode_ohlcv(series, bars, window.newest_first, forming)
        if token is not None:
            self.cache.put(series, window.key, token, body)
        return body


def _why_there_is_nothing(series: Series, status: SyncStatus | None) -> str:
    hint = "POST /api/v1/market-data/sync fetches it"
    if status is None:
        return f"{series} was never synced; {hint}"
    last = f", its last attempt failed with {status.error_code}" if status.error_code else ""
    return f"{series} was never synced to its end (it is {status.status}{last}); {hint}"
