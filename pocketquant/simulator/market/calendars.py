"""The sessions of exchanges from 2000 to 2039, one for each trading date."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.intervals import DAY, MINUTE

Ints = NDArray[np.int64]

FIRST_DATE = date(2000, 1, 3)
LAST_DATE = date(2039, 12, 31)

_EPOCH = date(1970, 1, 1)
_FIRST_MONDAY = 4  # 1970-01-05, in days since the epoch


@dataclass(frozen=True, slots=True)
class Calendar:
    """The trading hours of an exchange in TradingView's form: `0930-1600`, or `24x7`.

    A session whose closing time is not after its opening time opens the evening before its trading
    date. Holidays are (month, day) pairs, equal in every year.
    """

    timezone: str
    session: str
    holidays: tuple[tuple[int, int], ...] = ()

    @property
    def is_continuous(self) -> bool:
        return self.session == "24x7"

    @property
    def minutes(self) -> int:
        """The length of every session."""
        opening, closing = self.hours
        return (closing - opening - 1) % (24 * 60) + 1

    @property
    def hours(self) -> tuple[int, int]:
        """The opening and closing times in minutes after local midnight."""
        if self.is_continuous:
            return 0, 0
        opening, closing = self.session.split("-")
        return _minute_of_day(opening), _minute_of_day(closing)

    def is_trading_date(self, day: date) -> bool:
        return self.is_continuous or (
            day.weekday() < 5 and (day.month, day.day) not in self.holidays
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """All sessions of a calendar: epoch seconds of each opening and close.

    `dates`, `weeks` and `months` count the trading dates, their weeks (from Monday) and their
    months since the epoch.
    """

    opens: Ints
    closes: Ints
    dates: Ints
    weeks: Ints
    months: Ints

    def begun_by(self, moment: int) -> int:
        """Return how many sessions have opened at or before `moment`."""
        return int(np.searchsorted(self.opens, moment, "right"))

    def midnights(self, times: Ints) -> Ints:
        """Return UTC midnight of the trading date that each time belongs to."""
        return np.asarray(self.dates[np.searchsorted(self.opens, times, "right") - 1] * DAY)


@lru_cache(maxsize=16)
def sessions(calendar: Calendar) -> Sessions:
    """Return the sessions of all trading dates, oldest first."""
    days = [day for day in _all_dates() if calendar.is_trading_date(day)]
    dates = np.array([(day - _EPOCH).days for day in days], dtype=np.int64)
    opens = np.array([_opens_at(calendar, day) for day in days], dtype=np.int64)
    months = np.array([day.year * 12 + day.month - 1 for day in days], dtype=np.int64)
    return Sessions(
        opens=opens,
        closes=opens + calendar.minutes * MINUTE,
        dates=dates,
        weeks=(dates - _FIRST_MONDAY) // 7,
        months=months,
    )


def is_open(calendar: Calendar, moment: int) -> bool:
    """Return whether the exchange is in a session."""
    every = sessions(calendar)
    begun = every.begun_by(moment)
    return bool(begun and moment < every.closes[begun - 1])


def is_timezone(name: str) -> bool:
    """Return whether a time zone has this name."""
    return name in _all_timezones()


@lru_cache(maxsize=20_000)
def utc_offset_seconds(timezone: str, day: int) -> int:
    """Return the offset from UTC at noon (UTC) of the `day`-th day since the epoch."""
    noon = datetime.fromtimestamp(day * DAY + DAY // 2, tz=UTC)
    offset = noon.astimezone(ZoneInfo(timezone)).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _all_dates() -> list[date]:
    length = (LAST_DATE - FIRST_DATE).days + 1
    return [FIRST_DATE + timedelta(days=number) for number in range(length)]


def _opens_at(calendar: Calendar, day: date) -> int:
    if calendar.is_continuous:
        return (day - _EPOCH).days * DAY
    opening, closing = calendar.hours
    if opening >= closing:
        day -= timedelta(days=1)
    clock = time(opening // 60, opening % 60, tzinfo=ZoneInfo(calendar.timezone))
    return int(datetime.combine(day, clock).timestamp())


def _minute_of_day(text: str) -> int:
    return int(text[:2]) * 60 + int(text[2:])


@lru_cache(maxsize=1)
def _all_timezones() -> frozenset[str]:
    return frozenset(available_timezones())
