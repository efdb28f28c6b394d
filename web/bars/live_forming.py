"""The live forming bar, for the end of an answer.

Answers are kept for minutes and a forming bar changes all the time, so it is added when the answer
is sent. It is looked up at most twice a second for each series. Without Redis the answer has the
forming bar of the last sync.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from zoneinfo import ZoneInfo

import redis
import structlog
from pymongo.errors import PyMongoError

from pocketquant.cache.board import CurrentBar
from pocketquant.domain.symbols import Series
from pocketquant.live.current_bars import CurrentBars
from pocketquant.servers.cooldown import Cooldown
from web.encoding import encode_live_forming
from web.times import UTC_TIMES, TimeFormat

_KEPT_SECONDS = 0.5
_MOST_KEPT = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    until: float
    current: CurrentBar | None = None
    times: TimeFormat = UTC_TIMES
    forming: bytes | None = None  # in UTC


class LiveForming:
    """Forming bars, each kept for half a second."""

    def __init__(self, bars: CurrentBars, clock: Callable[[], float]) -> None:
        self._bars = bars
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[Series, _Seen] = {}
        self._cooldown = Cooldown(clock)

    def of(self, series: Series, zone: str = UTC_TIMES.zone_name) -> bytes | None:
        """Return the live forming bar of the series as JSON; None where there is none."""
        now = self._clock()
        seen = self._seen.get(series)
        if seen is None or seen.until <= now:
            seen = self._look(series, now)
            with self._lock:
                if len(self._seen) >= _MOST_KEPT:
                    self._seen.clear()
                self._seen[series] = seen
        if seen.current is None or zone == UTC_TIMES.zone_name:
            return seen.forming
        times = replace(seen.times, zone=ZoneInfo(zone))
        return encode_live_forming(seen.current.bar, seen.current.as_of, times)

    def _look(self, series: Series, now: float) -> _Seen:
        until = now + _KEPT_SECONDS
        nothing = _Seen(until)
        if self._cooldown.is_active:
            return nothing
        try:
            current = self._bars.get(series, now)
            kept = self._bars.calendars.get(series.symbol)
        except PyMongoError as error:
            self._cooldown.start()
            _log.warning("calendars_lost", cause=str(error))
            return nothing
        except redis.RedisError as error:
            self._cooldown.start()
            _log.warning("quote_board_lost", cause=str(error))
            return nothing
        if current is None or current.ends_at <= now:
            return nothing
        calendar = kept.calendar if kept else None
        times = TimeFormat(None, not series.interval.is_intraday, calendar)
        return _Seen(until, current, times, encode_live_forming(current.bar, current.as_of, times))
