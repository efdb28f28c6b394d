"""`TimeFormat`: how an answer shows times and trading days, as JSON texts."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from numpy.typing import NDArray

from pocketquant.domain.calendar import Calendar
from pocketquant.domain.calendar.zones import offsets_at, parse_zone

Times = NDArray[Any]  # epoch seconds, as whole numbers or as floats

EXCHANGE = "exchange"  # in place of a zone: that of the symbol

_UTC_WITH_Z = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_UNKNOWN_DAY = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """Times in a zone, or in UTC with `Z`; bars of days and longer have trading days too.

    Without a calendar the trading days are unknown. As ISO 8601 has no seconds in offsets, those of
    the 19th century are rounded to the minute; the moment stays exact.
    """

    zone: ZoneInfo | None = None
    has_trading_days: bool = False
    calendar: Calendar | None = None

    @property
    def zone_name(self) -> str:
        return self.zone.key if self.zone else "UTC"

    def text(self, time: int) -> str:
        """Return one time, to be encoded."""
        return self.texts(np.array([time]))[1:-1].decode()

    def array(self, times: Times) -> orjson.Fragment:
        """Return a JSON array of these times."""
        return orjson.Fragment(b"[%b]" % self.texts(times))

    def texts(self, times: Times) -> bytes:
        """Return JSON strings of these times, separated by commas."""
        if self.zone is None:
            return orjson.dumps(times.astype("datetime64[s]"), option=_UTC_WITH_Z)[1:-1]
        if not len(times):
            return b""
        offsets = (offsets_at(self.zone, times.astype(np.int64)) + 30) // 60 * 60
        ends = np.flatnonzero(np.diff(offsets)) + 1
        parts = zip(np.split(times, ends), np.split(offsets, ends), strict=True)
        return b",".join(_local_texts(part, int(shifts[0])) for part, shifts in parts)

    def trading_days(self, times: Times) -> NDArray[np.datetime64]:
        """Return the trading day of each open time; NaT where it is unknown."""
        if self.calendar is None:
            return np.full(len(times), _UNKNOWN_DAY)
        return self.calendar.trading_days_at(times.astype(np.int64))

    def trading_day(self, opened: float) -> date | None:
        """Return the trading day of one open time; None where there is none, or it is unknown."""
        if not self.has_trading_days:
            return None
        day: date | None = self.trading_days(np.array([opened])).tolist()[0]
        return day

    def trading_day_texts(self, times: Times) -> bytes:
        """Return the trading days as JSON strings, or `null`, separated by commas."""
        return orjson.dumps(self.trading_days(times).tolist())[1:-1]


UTC_TIMES = TimeFormat()


def zone_of(name: str) -> ZoneInfo | None:
    """Return the zone of a `TimeFormat`, None for UTC; raise InvalidCalendar if there is none."""
    return None if name == UTC_TIMES.zone_name else parse_zone(name)


def _local_texts(times: Times, offset: int) -> bytes:
    """Return the times, which have one offset, as JSON strings."""
    local = (times + offset).astype("datetime64[s]")
    texts = orjson.dumps(local, option=orjson.OPT_SERIALIZE_NUMPY)[1:-2]
    hours, minutes = divmod(abs(offset) // 60, 60)
    end = b'%b%02d:%02d"' % (b"-" if offset < 0 else b"+", hours, minutes)
    return texts.replace(b'",', end + b",") + end
