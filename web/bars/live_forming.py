"""The forming bar of the quote board, for the end of an answer.

Answers are kept for minutes and a forming bar changes all the time, so it is added when the answer
is sent. It is looked up at most twice a second for each series. Without Redis the answer has the
forming bar of the last sync.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import redis
import structlog
from pymongo.errors import PyMongoError

from pocketquant.cache.board import QuoteBoard
from pocketquant.domain.symbols import Series
from pocketquant.servers.cooldown import Cooldown
from pocketquant.storage.calendars import CachedCalendars, why_withheld
from web.encoding import encode_live_forming

_KEPT_SECONDS = 0.5
_MOST_KEPT = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    forming: bytes | None
    until: float


class LiveForming:
    """Forming bars, each kept for half a second."""

    def __init__(
        self, board: QuoteBoard, calendars: CachedCalendars, clock: Callable[[], float]
    ) -> None:
        self._board = board
        self._calendars = calendars
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[Series, _Seen] = {}
        self._cooldown = Cooldown(clock)

    def of(self, series: Series) -> bytes | None:
        """Return the live forming bar of the series as JSON; None where there is none."""
        now = self._clock()
        seen = self._seen.get(series)
        if seen is None or seen.until <= now:
            seen = _Seen(self._look(series, now), now + _KEPT_SECONDS)
            with self._lock:
                if len(self._seen) >= _MOST_KEPT:
                    self._seen.clear()
                self._seen[series] = seen
        return seen.forming

    def _look(self, series: Series, now: float) -> bytes | None:
        if self._cooldown.is_active:
            return None
        try:
            kept = self._calendars.get(series.symbol)
            if why_withheld(kept, series.interval) is not None:
                return None
            calendar = kept.calendar if kept else None
            current = self._board.current_bar(str(series.symbol), series.interval, now, calendar)
        except PyMongoError as error:
            self._cooldown.start()
            _log.warning("calendars_lost", cause=str(error))
            return None
        except redis.RedisError as error:
            self._cooldown.start()
            _log.warning("quote_board_lost", cause=str(error))
            return None
        if current is None or current.ends_at <= now:
            return None
        return encode_live_forming(current.bar, current.as_of)
