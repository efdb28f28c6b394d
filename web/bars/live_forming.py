"""The live forming bar, for the end of an answer.

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

from pocketquant.cache.board import CurrentBar
from pocketquant.domain.calendar import Calendar
from pocketquant.domain.live_bars import LiveBar
from pocketquant.domain.symbols import Series
from pocketquant.live.current_bars import CurrentBars
from pocketquant.servers.cooldown import Cooldown
from web.encoding import encode_live_forming
from web.times import UTC_TIMES, TimeFormat, zone_of

_KEPT_SECONDS = 0.5
_MOST_KEPT = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    forming: bytes | None
    until: float


class LiveForming:
    """Forming bars, each kept for half a second."""

    def __init__(self, bars: CurrentBars, clock: Callable[[], float]) -> None:
        self._bars = bars
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[tuple[Series, str], _Seen] = {}  # by zone too
        self._cooldown = Cooldown(clock)

    def of(self, series: Series, zone: str = UTC_TIMES.zone_name) -> bytes | None:
        """Return the live forming bar of the series as JSON; None where there is none."""
        now, key = self._clock(), (series, zone)
        seen = self._seen.get(key)
        if seen is None or seen.until <= now:
            seen = _Seen(self._look(series, zone, now), now + _KEPT_SECONDS)
            with self._lock:
                if len(self._seen) >= _MOST_KEPT:
                    self._seen.clear()
                self._seen[key] = seen
        return seen.forming

    def bar(self, series: Series) -> LiveBar | None:
        """Return the live forming bar of the series; None where there is none."""
        current, _ = self._found(series, self._clock())
        return current.bar if current else None

    def _look(self, series: Series, zone: str, now: float) -> bytes | None:
        current, calendar = self._found(series, now)
        if current is None:
            return None
        times = TimeFormat(zone_of(zone), not series.interval.is_intraday, calendar)
        return encode_live_forming(current.bar, current.as_of, times)

    def _found(self, series: Series, now: float) -> tuple[CurrentBar | None, Calendar | None]:
        """Return the bar that has not ended, and the calendar of its symbol."""
        if self._cooldown.is_active:
            return None, None
        try:
            current = self._bars.get(series, now)
            calendar = self._bars.calendars.calendar(series.symbol)
        except PyMongoError as error:
            self._cooldown.start()
            _log.warning("calendars_lost", cause=str(error))
            return None, None
        except redis.RedisError as error:
            self._cooldown.start()
            _log.warning("quote_board_lost", cause=str(error))
            return None, None
        has_ended = current is not None and current.ends_at <= now
        return (None if has_ended else current), calendar
