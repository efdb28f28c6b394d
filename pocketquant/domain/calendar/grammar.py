"""Trading hours as the provider writes them, read without a guess.

24x7                                 always; a trading day runs from midnight to midnight
0930-1600                            Monday to Friday in the exchange's time, end exclusive
0000-0000                            midnight to midnight, Monday to Friday
1700-1600, 1700-1700                 start ≥ end: opens on the day before its trading day
1700F-1900, 1700F4-1200F3            F: a day before the trading day, F2 … F6: so many days
0930-2730                            hours beyond 24: ends on the day after its trading day
0930-1130,1300-1500                  two sessions a day
1900-1900:3456|1700F-1900:2          groups by days, 1 is Sunday; a group without days is that
                                     of all other days from Monday to Friday
1;1000-1500:12345, …;1               the first day of the week, Monday where not said
0900-1746#20251201/0800-2200         from that trading day on otherwise, also in the future
0930-1200A0900E0920-1206U1300-1600   with auctions: A the time from which orders are taken,
                                     E the session with its auctions, S and U the next session;
                                     sessions without their auctions are trading
0930-1300:20241224,20250703;dayoff:20250109     corrections: hours of single trading days
20250101,20250120                    holidays
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from pocketquant.domain.errors import InvalidCalendar

DAY_MINUTES = 24 * 60
FIRST_YEAR, LAST_YEAR = 1900, 2199  # of dates, and of what calendars answer for

EPOCH_DAY = date(1970, 1, 1).toordinal()
BEFORE_ALL_DAYS = -EPOCH_DAY
_ALWAYS = "24x7"
_DAY_OFF = "dayoff"
_MONDAY = 1  # Sunday is 0
_WEEKDAYS = "23456"
_TIME = r"([0-9]{2})([0-5][0-9])(?:(F)([1-6])?)?"
_PHASES = re.compile(rf"{_TIME}-{_TIME}(?:A[0-9]{{2}}[0-5][0-9])?(?:E{_TIME}-{_TIME})?")
_NEXT_PHASES = re.compile("[SU]")
_FIRST_DAY = re.compile(r"(?:([1-7]);)?([^;]*)(?:;([1-7]))?")
_VERSION = re.compile(r"([0-9]{8})/(.*)")
_DAYS = re.compile("[1-7]+")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")


class Stretch(NamedTuple):
    """Continuous trading, in minutes from the midnight that begins the trading day."""

    start: int  # negative where it begins on a day before
    end: int


Hours = tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """The hours of each weekday, Sunday first, and the weekday with which a week begins."""

    hours: tuple[Hours, ...]
    first_weekday: int = _MONDAY


@dataclass(frozen=True, slots=True)
class Version:
    """A week's hours, and the trading day from which they hold, in days since 1970."""

    since: int
    week: Week


def parse_versions(text: str) -> tuple[Version, ...]:
    """Read a whole session text, with all its dated versions."""
    first, *changes = text.split("#")
    versions = [Version(BEFORE_ALL_DAYS, _parse_week(first))]
    for change in changes:
        found = _VERSION.fullmatch(change)
        if not found:
            raise InvalidCalendar(f"{change!r} is not written YYYYMMDD/HOURS")
        since = _parse_date(found[1])
        if since <= versions[-1].since:
            raise InvalidCalendar(f"{found[1]} does not follow the date before it")
        versions.append(Version(since, _parse_week(found[2])))
    return tuple(versions)


def parse_holidays(text: str) -> frozenset[int]:
    """Read the trading days without a session, as days since 1970."""
    return frozenset(_parse_date(each) for each in text.split(",") if each)


def parse_corrections(text: str) -> dict[int, Hours]:
    """Read the hours of single trading days, by days since 1970; a day off has none."""
    corrections: dict[int, Hours] = {}
    for entry in filter(None, text.split(";")):
        hours_text, colon, dates = entry.partition(":")
        if not (colon and dates):
            raise InvalidCalendar(f"{entry!r} names no dates")
        hours = () if hours_text == _DAY_OFF else parse_hours(hours_text)
        for each in filter(None, dates.split(",")):
            day = _parse_date(each)
            if corrections.setdefault(day, hours) != hours:
                raise InvalidCalendar(f"{each} has two different hours")
    return corrections


def parse_hours(text: str) -> Hours:
    """Read the sessions of one day, such as `0930-1130,1300-1500`, in order of time."""
    hours = tuple(
        _parse_phases(phases, text)
        for part in text.split(",")
        for phases in _NEXT_PHASES.split(part)
    )
    for before, after in pairwise(hours):
        if after.start < before.end:
            raise InvalidCalendar(f"{text!r} has sessions that overlap or go back in time")
    return hours


def _parse_week(text: str) -> Week:
    marked = _FIRST_DAY.fullmatch(text)
    if not marked or (marked[1] and marked[3]):
        raise InvalidCalendar(f"{text!r} has no first day of the week where one belongs")
    first = int(marked[1] or marked[3] or _MONDAY + 1) - 1
    if marked[2] == _ALWAYS:
        return Week(((Stretch(0, DAY_MINUTES),),) * 7, first)
    by_day: dict[str, Hours] = {}
    of_others: list[Hours] = []
    for group in marked[2].split("|"):
        hours_text, colon, days = group.partition(":")
        hours = parse_hours(hours_text)
        if not colon:
            of_others.append(hours)
        elif _DAYS.fullmatch(days) and by_day.keys().isdisjoint(days):
            by_day |= dict.fromkeys(days, hours)
        else:
            raise InvalidCalendar(f"the days of {group!r} in {text!r} are not understood")
    if len(of_others) > 1:
        raise InvalidCalendar(f"{text!r} has two groups without days")
    by_day = dict.fromkeys(_WEEKDAYS, *of_others) | by_day if of_others else by_day
    return Week(tuple(by_day.get(day, ()) for day in "1234567"), first)


def _parse_phases(text: str, whole: str) -> Stretch:
    """Read one session without its auctions."""
    found = _PHASES.fullmatch(text)
    if not found:
        raise InvalidCalendar(f"{text!r} in {whole!r} is not understood")
    groups = found.groups()
    session = _stretch(groups[:8], whole)
    if groups[8]:
        with_auctions = _stretch(groups[8:], whole)
        if session.start < with_auctions.start or session.end > with_auctions.end:
            raise InvalidCalendar(f"in {whole!r} an E does not hold its own session")
    return session


def _stretch(groups: Sequence[str | None], whole: str) -> Stretch:
    """From hours, minutes, F and number of days of the start, then of the end."""
    hour, minute, start_mark, start_days, end_hour, end_minute, end_mark, end_days = groups
    start = 60 * int(hour or 0) + int(minute or 0)
    end = 60 * int(end_hour or 0) + int(end_minute or 0)
    if start == end == 0 and not start_mark and not end_mark:
        return Stretch(0, DAY_MINUTES)
    if not start_mark and (end_mark or start >= max(end, DAY_MINUTES)):
        raise InvalidCalendar(f"in {whole!r} it is not clear on which day a session begins")
    days_before = int(start_days or 1) if start_mark else int(start >= end)
    days_before_end = int(end_days or 1) if end_mark else 0
    stretch = Stretch(start - days_before * DAY_MINUTES, end - days_before_end * DAY_MINUTES)
    if stretch.start >= stretch.end:
        raise InvalidCalendar(f"in {whole!r} a session ends before it begins")
    return stretch


def _parse_date(text: str) -> int:
    found = _DATE.fullmatch(text)
    try:
        if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
            raise ValueError(text)
        return date(int(found[1]), int(found[2]), int(found[3])).toordinal() - EPOCH_DAY
    except ValueError:
        raise InvalidCalendar(f"{text!r} is no date, written YYYYMMDD") from None
