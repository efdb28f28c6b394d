"""When a bar of a listing ends, by its trading hours in TradingView's notation.

    24x7                            always
    0930-1600                       Monday to Friday, in the exchange's time zone
    1700-1600                       opens in the evening before its trading day
    0930-1130,1300-1500             two sessions a day
    1900-1900:3456|1700F-1900:2     by days: 1 is Sunday
    0915-1530#20260803/0915-1515    other hours from that date on

Holidays and exceptional days are not known here: each day counts as an ordinary one.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pocketquant.domain.dates import to_date, to_seconds
from pocketquant.domain.intervals import Interval

_ALWAYS = "24x7"
_EVERY_DAY = frozenset("1234567")
_WEEKDAYS = "23456"
_CLOSING = re.compile(r"(?:F\d*)?-(\d\d)(\d\d)")
_MOST_DAYS = {Interval.D1: 1, Interval.W1: 7, Interval.MONTH: 31}
_DAYS = re.compile(r":([1-7]+)")


@dataclass(frozen=True, slots=True)
class TradingHours:
    """The ordinary hours of a listing."""

    zone: ZoneInfo
    closings: frozenset[int]  # minutes of the local day; empty for 24x7
    days: frozenset[str]  # "1" is Sunday

    @classmethod
    def parse(cls, timezone: str, session: str) -> Self | None:
        """Read both texts; None if one is not understood."""
        try:
            zone = ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            return None
        if session == _ALWAYS:
            return cls(zone, frozenset(), _EVERY_DAY)
        closings = [60 * int(hour) + int(minute) for hour, minute in _CLOSING.findall(session)]
        if not closings:
            return None
        groups = [_DAYS.search(group) for group in re.split(r"[|/]", session)]
        days = "".join(found[1] if found else _WEEKDAYS for found in groups)
        return cls(zone, frozenset(minute % (24 * 60) for minute in closings), frozenset(days))

    def end(self, interval: Interval, opened: int) -> int:
        """The epoch second at which the bar that opened at `opened` ends."""
        closing = self._closing_after(to_date(opened))
        if interval.is_intraday:
            return min(opened + interval.seconds, to_seconds(closing))
        day = closing - timedelta(seconds=1)  # midnight closes the day before
        return to_seconds(closing + (self._last_day(interval, day) - day))

    def _closing_after(self, opened: datetime) -> datetime:
        """The end of the trading day: the latest of the next closings."""
        local = opened.astimezone(self.zone)
        if not self.closings:
            return local + timedelta(days=1)
        midnight = local.replace(hour=0, minute=0, second=0)
        closings = (midnight.replace(hour=at // 60, minute=at % 60) for at in self.closings)
        return max(at if at > local else at + timedelta(days=1) for at in closings)

    def _last_day(self, interval: Interval, first: datetime) -> datetime:
        """The last trading day of the day, week or month that starts with `first`."""
        days = (first + timedelta(days=number) for number in range(_MOST_DAYS[interval]))
        return max((day for day in days if self._is_of(interval, first, day)), default=first)

    def _is_of(self, interval: Interval, first: datetime, day: datetime) -> bool:
        is_traded = str(day.isoweekday() % 7 + 1) in self.days
        return is_traded and (interval is not Interval.MONTH or day.month == first.month)
