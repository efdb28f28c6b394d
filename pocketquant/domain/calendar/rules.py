"""Which hours each trading day has: the week's, by version; none on holidays; corrections first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self, TypeVar

import numpy as np

from pocketquant.domain.calendar.grammar import (
    BEFORE_ALL_DAYS,
    DAY_MINUTES,
    Hours,
    Version,
    parse_corrections,
    parse_holidays,
    parse_versions,
)
from pocketquant.domain.calendar.zones import Ints
from pocketquant.domain.errors import InvalidCalendar

Parsed = TypeVar("Parsed")

_THURSDAY = 4  # the weekday of day 0, 1970-01-01; Sunday is 0
_BEYOND = 14  # days around a special one within which its sessions may meet those of others


@dataclass(frozen=True, slots=True, eq=False)
class LocalSessions:
    """Sessions in order of time: trading day, and minutes since 1970 on the exchange's clock."""

    days: Ints  # since 1970
    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The hours of every trading day, as arrays: distinct hours are numbered, 0 is a day off."""

    since: Ints  # the first trading day of each version, in days since 1970
    first_weekdays: Ints  # of each version
    weeks: Ints  # number of the hours by version and weekday, Sunday first
    special_days: Ints  # holidays and corrections, in days since 1970
    special_hours: Ints
    first_stretches: Ints  # by number of the hours, into the following
    starts: Ints
    ends: Ints

    @classmethod
    def parse(cls, session: str, holidays: str, corrections: str) -> Self:
        """Raise InvalidCalendar if a text is not understood, or if sessions overlap."""
        versions = _read("session", parse_versions, session)
        specials = parse_specials(holidays, corrections)
        rules = cls._of(versions, specials)
        for each in versions:
            alone = cls._of([Version(BEFORE_ALL_DAYS, each.week)], {})
            for day, other in alone._overlaps(0, 2 * 7):
                raise InvalidCalendar(
                    f"session: in {session!r} those of {day:%A} and {other:%A} overlap"
                )
        unusual = [*rules.since[1:].tolist(), *specials]
        if unusual:
            for day, other in rules._overlaps(min(unusual) - _BEYOND, max(unusual) + _BEYOND):
                raise InvalidCalendar(
                    f"session: in {session!r}, with its holidays and corrections {corrections!r},"
                    f" those of {day} and {other} overlap"
                )
        return rules

    def sessions(self, first_day: int, end_day: int) -> LocalSessions:
        """The sessions of the trading days of a range, in days since 1970."""
        days = np.arange(first_day, end_day, dtype=np.int64)
        hours = self.weeks[self.versions(days), (days + _THURSDAY) % 7]
        low, high = np.searchsorted(self.special_days, (first_day, end_day))
        hours[self.special_days[low:high] - first_day] = self.special_hours[low:high]
        counts = np.diff(self.first_stretches)[hours]
        stretches = np.repeat(self.first_stretches[hours], counts) + ramps(counts)
        days = np.repeat(days, counts)
        midnights = days * DAY_MINUTES
        return LocalSessions(
            days, midnights + self.starts[stretches], midnights + self.ends[stretches]
        )

    def versions(self, days: Ints) -> Ints:
        """The number of the version that holds on each trading day."""
        return np.asarray(np.searchsorted(self.since, days, "right") - 1)

    @classmethod
    def _of(cls, versions: Iterable[Version], specials: dict[int, Hours]) -> Self:
        numbers: dict[Hours, int] = {(): 0}
        weeks = [
            [numbers.setdefault(hours, len(numbers)) for hours in version.week.hours]
            for version in versions
        ]
        special_days = sorted(specials)
        special_hours = [numbers.setdefault(specials[day], len(numbers)) for day in special_days]
        stretches = [stretch for hours in numbers for stretch in hours]
        return cls(
            since=_ints(each.since for each in versions),
            first_weekdays=_ints(each.week.first_weekday for each in versions),
            weeks=np.array(weeks, dtype=np.int64),
            special_days=_ints(special_days),
            special_hours=_ints(special_hours),
            first_stretches=np.cumsum([0, *map(len, numbers)], dtype=np.int64),
            starts=_ints(each.start for each in stretches),
            ends=_ints(each.end for each in stretches),
        )

    def _overlaps(self, first_day: int, end_day: int) -> list[tuple[date, date]]:
        """The trading days of neighbouring sessions that overlap."""
        sessions = self.sessions(first_day, end_day)
        clashes = np.flatnonzero(sessions.starts[1:] < sessions.ends[:-1])
        dates = sessions.days.astype("datetime64[D]").tolist()
        return [(dates[each], dates[each + 1]) for each in clashes.tolist()]


def parse_specials(holidays: str, corrections: str) -> dict[int, Hours]:
    """Read the hours of listed days, by days since 1970; corrections beat holidays.

    Raise InvalidCalendar if a text is not understood.
    """
    specials: dict[int, Hours] = dict.fromkeys(_read("holidays", parse_holidays, holidays), ())
    return specials | _read("corrections", parse_corrections, corrections)


def _read(field: str, parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except InvalidCalendar as error:
        raise InvalidCalendar(f"{field}: {error}") from None


def ramps(counts: Ints) -> Ints:
    """0, 1, 2 … so many times as each count says, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) - np.repeat(ends - counts, counts)


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)
