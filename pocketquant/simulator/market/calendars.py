"""The sessions of exchanges from 2000 to 2039, and the texts in which the server describes them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

from pocketquant.domain.intervals import DAY, HOUR, MINUTE

Ints = NDArray[np.int64]
Hours = tuple[tuple[int, int], ...]  # opening and close in minutes after the date's midnight

FIRST_DATE = date(2000, 1, 3)
LAST_DATE = date(2039, 12, 31)

_EPOCH = date(1970, 1, 1)
_FIRST_MONDAY = 4  # 1970-01-05, in days since the epoch
_DAY_MINUTES = 24 * 60
_ALWAYS = "24x7"
_EVERY_DAY, _WORKDAYS = "1234567", "23456"  # Sunday is 1
_HOURS = re.compile(r"(\d\d)(\d\d)(F\d?)?-(\d\d)(\d\d)(F\d?)?")


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """The trading hours of an exchange by its own clock.

    `session` names those of a week as the server does: `0930-1600`; `0930-1200,1300-1600` with a
    break; `1900-1900:3456|1700F-1900:2` by weekdays, of which Sunday is 1; `24x7`. A session whose
    closing time is not after its opening time opens the evening before its trading date; `F` and
    `F2` name a time of one and two days before. `changes` are the hours from some dates on.

    `corrections` are the hours of single trading dates, also of holidays and weekends. `written` is
    the server's text, if it is another one than `session`.
    """

    timezone: str
    session: str
    holidays: frozenset[date] = frozenset()
    corrections: tuple[tuple[str, Collection[date]], ...] = ()
    changes: tuple[tuple[date, str], ...] = ()
    written: str = ""

    @property
    def is_continuous(self) -> bool:
        return self.session == _ALWAYS

    @property
    def session_text(self) -> str:
        """The server's text of the hours of all weeks."""
        changes = (f"#{since:%Y%m%d}/{session}" for since, session in self.changes)
        return (self.written or self.session) + "".join(changes)

    @property
    def holidays_text(self) -> str:
        """The server's text of the holidays."""
        return _dates_text(self.holidays)

    @property
    def corrections_text(self) -> str:
        """The server's text of the hours of single dates."""
        return ";".join(f"{hours}:{_dates_text(days)}" for hours, days in self.corrections)

    def hours_by_date(self) -> list[tuple[date, Hours]]:
        """Return the trading dates of all years, and their hours."""
        single = {day: text for text, days in self.corrections for day in days}
        weeks = [(FIRST_DATE, self.session), *self.changes]
        found: list[tuple[date, Hours]] = []
        for day in _all_dates():
            if len(weeks) > 1 and day >= weeks[1][0]:
                del weeks[0]
            if day in single:
                found.append((day, _hours(single[day])))
            elif day not in self.holidays and (hours := _week(weeks[0][1])[day.isoweekday() % 7]):
                found.append((day, hours))
        return found


@dataclass(frozen=True, eq=False)
class Sessions:
    """All sessions of a calendar: epoch seconds, one opening and close for each trading date.

    `dates`, `weeks` and `months` count the trading dates, their weeks (from Monday) and their
    months since the epoch. A date with a break has several `starts` and `ends` of trading;
    `firsts` is the place of each date's first one, with one more place at the end.
    """

    dates: Ints
    weeks: Ints
    months: Ints
    starts: Ints
    ends: Ints
    firsts: Ints

    @cached_property
    def opens(self) -> Ints:
        return np.asarray(self.starts[self.firsts[:-1]])

    @cached_property
    def closes(self) -> Ints:
        return np.asarray(self.ends[self.firsts[1:] - 1])

    @cached_property
    def hours(self) -> tuple[Ints, Ints]:
        """Every hour, counted from its start of trading, and the place of each date's first one."""
        counts = -(-(self.ends - self.starts) // HOUR)
        places = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
        numbers = np.arange(places[-1]) - np.repeat(places[:-1], counts)
        return np.repeat(self.starts, counts) + numbers * HOUR, places[self.firsts]

    @cached_property
    def minutes(self) -> float:
        """The mean length of a trading date."""
        return float(np.sum(self.ends - self.starts)) / MINUTE / len(self.dates)

    def begun_by(self, moment: int) -> int:
        """Return how many trading dates have opened at or before `moment`."""
        return int(np.searchsorted(self.opens, moment, "right"))

    def midnights(self, times: Ints) -> Ints:
        """Return UTC midnight of the trading date that each time belongs to."""
        return np.asarray(self.dates[np.searchsorted(self.opens, times, "right") - 1] * DAY)

    def trading_of(self, times: Ints) -> Ints:
        """Return the place in `starts` and `ends` of the trading that each time belongs to."""
        return np.asarray(np.searchsorted(self.starts, times, "right") - 1)


@lru_cache(maxsize=64)
def sessions(calendar: Calendar) -> Sessions:
    """Return the sessions of all trading dates, oldest first."""
    known = calendar.hours_by_date()
    zone = ZoneInfo(calendar.timezone)
    counts = np.cumsum([0, *(len(hours) for _, hours in known)])
    dates = np.array([(day - _EPOCH).days for day, _ in known], dtype=np.int64)
    months = np.array([day.year * 12 + day.month - 1 for day, _ in known], dtype=np.int64)
    trading = [
        (_moment(day, opening, zone), _moment(day, closing, zone))
        for day, hours in known
        for opening, closing in hours
    ]
    starts, ends = np.array(trading, dtype=np.int64).T
    return Sessions(
        dates=dates,
        weeks=(dates - _FIRST_MONDAY) // 7,
        months=months,
        starts=np.ascontiguousarray(starts),
        ends=np.ascontiguousarray(ends),
        firsts=counts.astype(np.int64),
    )


def is_open(calendar: Calendar, moment: int) -> bool:
    """Return whether the exchange is in a session, and not in its break."""
    every = sessions(calendar)
    begun = int(np.searchsorted(every.starts, moment, "right"))
    return bool(begun and moment < every.ends[begun - 1])


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


@lru_cache(maxsize=256)
def _week(session: str) -> tuple[Hours, ...]:
    """Return the hours of each weekday, from Sunday on; a group without days has all others."""
    by_day: dict[str, Hours] = {}
    for group in sorted(session.split("|"), key=lambda group: ":" in group):
        text, _, days = group.partition(":")
        by_day |= dict.fromkeys(
            days or (_EVERY_DAY if text == _ALWAYS else _WORKDAYS), _hours(text)
        )
    return tuple(by_day.get(day, ()) for day in _EVERY_DAY)


@lru_cache(maxsize=256)
def _hours(text: str) -> Hours:
    """Return the hours of one trading date; none of `dayoff`."""
    if text == _ALWAYS:
        return ((0, _DAY_MINUTES),)
    found: list[tuple[int, int]] = []
    for hour, minute, before, end_hour, end_minute, end_before in _HOURS.findall(text):
        opening = int(hour) * 60 + int(minute) - _days_before(before) * _DAY_MINUTES
        closing = int(end_hour) * 60 + int(end_minute) - _days_before(end_before) * _DAY_MINUTES
        found.append((opening if opening < closing else opening - _DAY_MINUTES, closing))
    return tuple(found)


def _days_before(mark: str) -> int:
    return int(mark[1:] or 1) if mark else 0


def _moment(day: date, minutes: int, zone: ZoneInfo) -> int:
    days, minute = divmod(minutes, _DAY_MINUTES)
    clock = time(minute // 60, minute % 60, tzinfo=zone)
    return int(datetime.combine(day + timedelta(days=days), clock).timestamp())


def _dates_text(days: Collection[date]) -> str:
    return ",".join(f"{day:%Y%m%d}" for day in sorted(days))


@lru_cache(maxsize=1)
def _all_timezones() -> frozenset[str]:
    return frozenset(available_timezones())
